"""Gunicorn classes: a worker that drains, a logger, and errors as problems.

`gunicorn.conf.py` imports this module in the master, before a worker patches the standard library for gevent. So at
its top it imports only gunicorn and the standard library: a module that imported the blocking socket or lock before
the patch would keep it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.http.errors import InvalidChunkSize  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]  # gunicorn has no types

TAKES_SSL: Final = frozenset({"urllib3", "requests", "redis", "flask"})
"""Modules that bind the standard library's sockets, locks or TLS at import."""

IDLE_SECONDS: Final = 1.0
"""A connection is idle if no request arrives within this time after it opened or after the last response."""

BODY_SECONDS: Final = 30.0
"""A body must be complete within this time from its request, or reading it ends."""

UPLOAD_PATH: Final = "/v1/media"
SLOWEST_UPLOAD: Final = 32 * 1024
"""Bytes a second: extends an upload's time by its length; an upload of unknown length has `UPLOAD_SECONDS` more."""
UPLOAD_SECONDS: Final = 900.0

PATIENCE_SECONDS: Final = 2.0
MOST_WAITED_FOR: Final = 500
"""Connections that a process waits for longer than `PATIENCE_SECONDS`, half of its maximum. Beyond it the oldest are
closed first."""

_STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})

FREE_PIECES: Final = 1_000
SMALLEST_PIECE: Final = 64
"""Minimum average bytes of a chunk, beyond the first `FREE_PIECES`: a small chunk costs as much as a large one."""


class DrainingGeventWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that exits after its last request, without waiting for idle keep-alive connections.

    Gunicorn's own worker waits for them until `graceful_timeout`, without listening. Connections that are slow to send
    a request or its body are closed: after a timeout, and earlier when there are too many.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle_since: dict[socket.socket, float] = {}
        self._bodies: dict[socket.socket, IncomingBody] = {}

    def init_process(self) -> None:
        """Load the application and serve; a stop signal since the fork ends the process."""
        # A fork inherits the master's handlers, which only note the signal: the master would then wait for the worker
        # until `graceful_timeout`.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        deliver_stop_signals()
        super().init_process()

    def patch(self) -> None:
        """Patch the standard library for gevent; exit if a module has already imported its unpatched parts.

        With `--preload` the application is loaded earlier, and each call to Meta would end in a RecursionError.
        """
        if early := sorted(TAKES_SSL & sys.modules.keys()):
            sys.stderr.write(
                f"gevent must patch the standard library before {', '.join(early)} is imported, or TLS fails later: "
                "leave --preload out, and do not import them in gunicorn's configuration.\n"
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
        if getattr(req, "body", None) is not None:
            self._bodies[sock] = IncomingBody(req.body.reader, req.path)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._bodies.pop(sock, None)
            self._idle_since[sock] = time.monotonic()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that gunicorn refuses before the application sees it."""
        super().handle_error(req, ProblemJsonSocket(client), addr, exc)

    def notify(self) -> None:
        """Send the heartbeat, each second, and close overdue connections."""
        super().notify()
        for client in self._overdue(time.monotonic()):
            # On a duplicate of the socket: on gevent's own the reading greenlet would get an exception, which gunicorn
            # logs as an error, instead of the end of the stream.
            with contextlib.suppress(OSError), client.dup() as twin:
                twin.shutdown(socket.SHUT_RD)

    def _overdue(self, now: float) -> set[socket.socket]:
        bodies = {client: body for client, body in self._bodies.items() if not body.is_whole()}
        overdue = {client for client, body in bodies.items() if body.until < now}
        if not self.alive:
            overdue |= {client for client, since in self._idle_since.items() if since < now - IDLE_SECONDS}
        since = self._idle_since | {client: body.since for client, body in bodies.items()}
        slow = sorted((begun, id(client), client) for client, begun in since.items() if begun < now - PATIENCE_SECONDS)
        overdue.update(client for _, _, client in slow[: max(0, len(slow) - MOST_WAITED_FOR)])
        return overdue


def hold_stop_signals() -> None:
    """Block stop signals until the fork that follows is over: in the master, and in the worker until it can stop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)


def deliver_stop_signals() -> None:
    """Deliver the stop signals that `hold_stop_signals` blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


# The master has no hook after a fork.
os.register_at_fork(after_in_parent=deliver_stop_signals)


class IncomingBody:
    """A request's body that gunicorn is reading; `since` and `until` on the monotonic clock (s)."""

    def __init__(self, reader: Any, path: str) -> None:
        self._reader = reader
        self.since = time.monotonic()
        length = getattr(reader, "length", None)
        more = 0.0
        if path.startswith(UPLOAD_PATH):
            more = UPLOAD_SECONDS if length is None else length / SLOWEST_UPLOAD
        self.until = self.since + BODY_SECONDS + more
        if getattr(reader, "parser", None) is not None:
            reader.parser = large_enough(reader.parser)

    def is_whole(self) -> bool:
        """Whether it has been read to its end."""
        if hasattr(self._reader, "length"):
            return bool(self._reader.length == 0)
        return getattr(self._reader, "parser", None) is None


def large_enough(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a chunked body's pieces; raise `InvalidChunkSize` if their size suggests an attack."""
    size = 0
    for count, piece in enumerate(pieces):
        size += len(piece)
        if count > FREE_PIECES + size // SMALLEST_PIECE:
            raise InvalidChunkSize(b"many small chunks")
        yield piece


class ProblemJsonSocket:
    """A connection that turns gunicorn's HTML error page into a problem."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, page: bytes) -> None:
        """Send the page's status and reason as `application/problem+json`."""
        from wa_service.web.problems import of_status  # in the worker only, after gevent's patch

        status, reason = page.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)[1:]
        problem = of_status(int(status), f"{reason}.").response()
        head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {problem.content_type}\r\n"
        body = problem.get_data()
        self._client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body)


class StructlogLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's log lines through our log, with its format and masking."""

    def setup(self, cfg: Any) -> None:
        """Remove gunicorn's handlers, at the start and at each reload."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log a warning, without the bytes of an invalid request: they may hold a customer's message."""
        if msg.startswith("Invalid request from ip="):
            msg = msg.partition(": ")[0]
        super().warning(msg, *args, **kwargs)


def run_in_child(check: Callable[[], int]) -> None:
    """Run a check in a child process; exit with its status unless that is 0.

    The check's imports must not happen in the master: workers would inherit them from before gevent's patch.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(check())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        sys.exit(status)
