"""Gunicorn for production and for `make run`; every value comes from the settings (`python -m wa_service settings`).

SIGHUP reads `.env` anew and replaces the workers one by one; check it first with
`python -m wa_service settings --quiet`, for a broken one would end the service.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]  # gunicorn has no types

from wa_service.config import settings
from wa_service.observability import log

try:
    _settings = settings.load()
except settings.SettingsError as error:
    sys.exit(str(error))
log.configure(_settings.log_format, _settings.log_numbers, level=_settings.log_level)

wsgi_app = "wsgi:app"
bind = _settings.bind
workers = _settings.web_concurrency
# Greenlets a worker runs side by side; what is above waits in the kernel's queue, where Meta's patience counts.
worker_connections = 1000
backlog = 2048

# A webhook is answered in milliseconds and the longest poll takes 20 s; a worker that does not even turn its
# event loop for `timeout` seconds hangs and is replaced.
timeout = 60
graceful_timeout = 25
keepalive = 75  # longer than a proxy keeps an idle connection, so that the proxy never writes into a closed one

# Whatever leaks is bounded; the jitter keeps workers from being recycled at once.
max_requests = 100_000
max_requests_jitter = 20_000

# The parts of a request that are read before the application may refuse it.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# Headers of a proxy count only when it is named: anyone else could pick the address that the limiter sees.
forwarded_allow_ips = ",".join(_settings.trusted_proxies)

# Heartbeats are files: on a disk under load a worker would seem dead.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108 - gunicorn makes private files there

# Nobody steers gunicorn through a socket in somebody's home directory.
control_socket_disable = True


class _AsProblem:
    """The connection of somebody whom gunicorn refuses before the application hears of it: gets a problem, no page."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, page: bytes) -> None:
        """Sends what the page says, in the form of every other error."""
        from wa_service.web.problems import of_status  # in the worker alone, after gevent's patch

        status, reason = page.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)[1:]
        problem = of_status(int(status), f"{reason}.").response()
        head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {problem.content_type}\r\n"
        body = problem.get_data()
        self._client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body)


# A request follows its connection, or the answer before it, within this many seconds, or it is not under way.
_UNDER_WAY = 1.0


class PromptWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Ends with its last request: kept connections on which nothing happens do not hold it.

    Gunicorn's own waits for them until `graceful_timeout`, and all that time nobody listens.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle: dict[Any, float] = {}

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection."""
        self._idle[client] = time.monotonic()
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.pop(client, None)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request of a connection."""
        self._idle.pop(sock, None)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle[sock] = time.monotonic()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Refuse what is no request that gunicorn takes."""
        super().handle_error(req, _AsProblem(client), addr, exc)

    def notify(self) -> None:
        """Show a sign of life, as each second; on the way out also let go of who asks for nothing."""
        super().notify()
        if not self.alive:
            latest = time.monotonic() - _UNDER_WAY
            for client in [client for client, since in self._idle.items() if since < latest]:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RD)


worker_class = PromptWorker


class OneRoad(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own lines take the road of ours: the same form, the same mask."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's handlers away again, at the start and at each reload."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say it, but not what could not be read as a request: it may be what somebody wrote."""
        if msg.startswith("Invalid request from ip="):
            msg = msg.partition(": ")[0]
        super().warning(msg, *args, **kwargs)


logger_class = OneRoad


def on_starting(_: Any) -> None:
    """Say once what a person should know about settings and store; end where the service must not start."""
    for warning in settings.warnings(_settings, datetime.now(UTC).date()):
        log.get_logger().warning("whatsapp.settings", warning=warning)
    # In a process of its own: what the check imports would reach the workers before gevent's patch does.
    pid = os.fork()
    if pid == 0:
        os._exit(_checked_store())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        sys.exit(status)


def _checked_store() -> int:
    from wa_service.startup import StartRefusedError, check_store
    from wa_service.store.embedded_valkey import EmbeddedValkeyError

    try:
        check_store(_settings, warn=True)
    except (EmbeddedValkeyError, StartRefusedError) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        return 1
    return 0
