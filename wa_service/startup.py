"""Check before a process starts that the store answers and is durable."""

from __future__ import annotations

import time

from wa_service.config.settings import Settings
from wa_service.observability import log
from wa_service.store.embedded_valkey import embedded_url
from wa_service.store.flusher import StoreUnavailableError


class StartRefusedError(Exception):
    """The service must not start; the text has one sentence for each problem to fix."""


def check_store(settings: Settings, *, warn: bool) -> None:
    """Wait until the store answers, and check whether it could lose data.

    If the store at REDIS_URL stays unavailable, the service starts and answers 503 until it is back.

    Args:
        settings: with `redis_wait`, the seconds to wait.
        warn: whether to log the warnings, which one process does.

    Raises:
        EmbeddedValkeyError: no embedded Valkey answers.
        StartRefusedError: it could lose data, and WA_REQUIRE_DURABLE_REDIS is set.
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
    """Return one sentence for each way in which the store may lose data; None if it stays unavailable."""
    # Imported late: importing `runtime` creates the metric series, each of which takes a slot in the shared files.
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
