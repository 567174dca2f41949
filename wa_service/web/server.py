"""What gunicorn is given beside its values: how a worker ends, logs, and refuses what is not a request.

`gunicorn.conf.py` imports this module in the master, before a worker patches the standard library for gevent. So it
imports nothing at its top but gunicorn and the standard library: a module that took the blocking socket or lock
before the patch would keep it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]  # gunicorn has no types

TAKES_SSL: Final = frozenset({"urllib3", "requests", "redis", "flask"})
"""Modules that take the sockets, locks or TLS of the standard library while they are imported."""

IDLE_SECONDS: Final = 1.0
"""A request follows its connection, or the answer before it, within this time, or the connection is idle."""


class DrainingGeventWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that ends with its last request: idle kept connections do not hold it.

    Gunicorn's own waits for them until `graceful_timeout`, and all that time nobody listens.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle_since: dict[socket.socket, float] = {}

    def patch(self) -> None:
        """Patch the standard library for gevent; end where something has taken its unpatched parts already.

        With `--preload` the application is loaded before: each call to Meta would then end in a RecursionError.
        """
        if early := sorted(TAKES_SSL & sys.modules.keys()):
            sys.stderr.write(
                f"gevent must patch the standard library before {', '.join(early)} is imported, or TLS fails later: "
                "leave --preload out, and import nothing of it in gunicorn's configuration.\n"
            )
            sys.exit(Arbiter.APP_LOAD_ERROR)
        super().patch()

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Serve a connection."""
        self._idle_since[client] = time.monotonic()
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle_since.pop(client, None)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        """Answer one request of a connection."""
        self._idle_since.pop(sock, None)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle_since[sock] = time.monotonic()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn refuses before the application sees it."""
        super().handle_error(req, ProblemJsonSocket(client), addr, exc)

    def notify(self) -> None:
        """Show a sign of life, as each second; while ending also shut idle connections."""
        super().notify()
        if not self.alive:
            latest = time.monotonic() - IDLE_SECONDS
            for client in [client for client, since in self._idle_since.items() if since < latest]:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RD)


class ProblemJsonSocket:
    """A connection on which gunicorn's HTML error page goes out as a problem, like every other error."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, page: bytes) -> None:
        """Send the page's status and reason as `application/problem+json`."""
        from wa_service.web.problems import of_status  # in the worker alone, after gevent's patch

        status, reason = page.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)[1:]
        problem = of_status(int(status), f"{reason}.").response()
        head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {problem.content_type}\r\n"
        body = problem.get_data()
        self._client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body)


class StructlogLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own lines pass through our log: the same form, the same mask."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's handlers away again, at the start and at each reload."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log a warning, without what could not be read as a request: somebody's message may stand in it."""
        if msg.startswith("Invalid request from ip="):
            msg = msg.partition(": ")[0]
        super().warning(msg, *args, **kwargs)


def run_in_child(check: Callable[[], int]) -> None:
    """Run a check in a process of its own; end this one with its exit status where that is not 0.

    In the master what the check imports would reach the workers before gevent's patch does.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(check())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        sys.exit(status)
