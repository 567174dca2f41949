"""A web process for a whole file: building its eighty routes takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tests.unit.web.conftest import Web, _started, _stop


@contextmanager
def web_process(valkey_url: str, **env: str) -> Iterator[Web]:
    """A web process with further settings. As in production, it remembers what came before; its store is one's own."""
    with structlog.testing.capture_logs():
        web = _started({"REDIS_URL": valkey_url} | env)
    yield web
    with structlog.testing.capture_logs():
        _stop(web)
