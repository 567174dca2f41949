"""What must hold before a process starts: the store answers, and loses nothing."""

from __future__ import annotations

import time

from wa_service.config.settings import Settings
from wa_service.observability import log
from wa_service.store.embedded_valkey import embedded_url
from wa_service.store.flusher import StoreUnavailableError


class StartRefusedError(Exception):
    """The service must not start like this; the text has a sentence for each thing to put right."""


def check_store(settings: Settings, *, warn: bool) -> None:
    """Wait until the store answers, and look whether it would lose data.

    A store of REDIS_URL that stays away does not keep the service from starting: it answers 503 until it is back.

    Args:
        settings: with `redis_wait`, the seconds to wait.
        warn: whether this process is the one to write the warnings.

    Raises:
        EmbeddedValkeyError: no embedded Valkey answers.
        StartRefusedError: it would lose data, and WA_REQUIRE_DURABLE_REDIS is set.
    """
    if settings.redis_url is None:
        embedded_url(settings.var_dir, wait=settings.redis_wait)  # durable by its own configuration
        return
    problems = _durability(settings)
    if problems is None:
        log.get_logger().warning("whatsapp.store.unavailable")
        return
    if warn:
        for problem in problems:
            log.get_logger().warning("whatsapp.store.not_durable", warning=problem)
    if problems and settings.require_durable_redis:
        raise StartRefusedError("\n".join(["WA_REQUIRE_DURABLE_REDIS refuses this Redis.", *problems]))


def _durability(settings: Settings) -> list[str] | None:
    """One sentence for each way in which the store may lose data; None when it stays away."""
    # Only here: each series takes its place among the shared ones when `runtime` is imported.
    from wa_service import runtime

    built = runtime.build(settings)
    end = time.monotonic() + settings.redis_wait
    try:
        while True:
            try:
                return built.observer.durability()
            except StoreUnavailableError:
                if time.monotonic() >= end:
                    return None
                time.sleep(0.1)
    finally:
        built.close()
