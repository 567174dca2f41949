"""Verify the configured callback at start (reference 5.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from meta_emulator.world import World

logger = logging.getLogger(__name__)


def subscribe_until_answered(world: World, stopped: Callable[[], bool]) -> None:
    """Repeat the verification request until the service answers it."""
    url, last_error = world.callback_url, ""
    while url and url == world.callback_url and not stopped():
        answer = world.webhooks.handshake(url, world.credentials.verify_token)
        if not answer.error:
            logger.info("the service at %s answered the handshake", url)
            world.hub.publish("handshake", {"ok": True, "url": url, "error": ""})
            return
        if answer.error != last_error:
            last_error = answer.error
            logger.warning("no handshake with %s yet (%s); retrying", url, last_error)
            world.hub.publish("handshake", {"ok": False, "url": url, "error": last_error})
        gevent.sleep(0.5 if answer.status == 0 else 1.0)
