"""The handshake with the callback that the emulator was started with, until the service answers (reference 5.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from meta_emulator.world import World

logger = logging.getLogger(__name__)


def subscribe_until_answered(world: World, stopped: Callable[[], bool]) -> None:
    """Perform the handshake with the configured callback again and again until the service answers."""
    url, told = world.callback_url, ""
    while url and url == world.callback_url and not stopped():
        answer = world.webhooks.handshake(url, world.config.verify_token)
        if not answer.error:
            logger.info("the service at %s answered the handshake", url)
            world.hub.publish("handshake", {"ok": True, "url": url, "error": ""})
            return
        if answer.error != told:
            told = answer.error
            logger.warning("no handshake with %s yet (%s); asking again until it answers", url, told)
            world.hub.publish("handshake", {"ok": False, "url": url, "error": told})
        gevent.sleep(0.5 if answer.status == 0 else 1.0)
