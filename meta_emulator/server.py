"""The emulator's HTTP server."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.pywsgi import WSGIHandler, WSGIServer

from meta_emulator.app import create_app
from meta_emulator.config import EmulatorConfig
from meta_emulator.disconnect import CONNECTION_KEY
from meta_emulator.handshake import subscribe_until_answered
from meta_emulator.seed import new_world
from meta_emulator.world import World
from meta_emulator.world_file import load_world, save_world

logger = logging.getLogger(__name__)

# A crash loses at most the last seconds of events.
_SAVE_SECONDS = 2.0


def serve(config: EmulatorConfig, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    ``ready`` is called with the base URL once the emulator listens. Raises OSError if the port is in use.
    """
    stop = Event()
    watchers = [gevent.signal_handler(number, stop.set) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        serve_until(stop, config, ready)
    finally:
        for watcher in watchers:
            watcher.cancel()


def serve_until(stop: Event, config: EmulatorConfig, ready: Callable[[str], None] | None = None) -> None:
    """Serve until ``stop`` is set."""
    server = EmulatorServer(config)
    try:
        server.start()
        logger.info("the emulator listens on %s", server.url)
        if ready is not None:
            ready(server.url)
        stop.wait()
    finally:
        server.stop()
        logger.info("the emulator has stopped")


class EmulatorServer:
    """A world, its application and a listening socket that can be closed and reopened."""

    def __init__(self, config: EmulatorConfig) -> None:
        self.world = new_world(config) if config.data_file is None else _saved_world(config, config.data_file)
        self._saved_event = self.world.hub.last_id
        self._saving: gevent.Greenlet | None = None
        self.app = create_app(config, self.world)
        self._config = config
        self._open: set[Any] = set()
        self._stopped = False
        self._server = self._make_server(config.port)
        self._handshake: gevent.Greenlet | None = None

    @property
    def url(self) -> str:
        """Base URL of the Graph API, the control API and the phone page."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"http://{host}:{self._server.address[1]}"

    def start(self) -> None:
        """Listen, and start the verification of the configured callback."""
        self._server.start()
        self.world.media_store.base_url = self.world.config.public_url or self.url
        self.world.refuse_connections = self.refuse
        if self._config.data_file is not None:
            self._saving = gevent.spawn(self._save_regularly, self._config.data_file)
        if self.world.callback_url:
            self._handshake = gevent.spawn(subscribe_until_answered, self.world, lambda: self._stopped)

    def refuse(self, seconds: float) -> None:
        """Close the listening socket and every connection for ``seconds``; callers get ECONNREFUSED."""
        gevent.spawn(self._refuse, seconds)

    def stop(self) -> None:
        """Close every connection and remove every timer."""
        self._stopped = True
        if self._saving is not None:
            self._saving.kill()
        if self._config.data_file is not None:
            self._save(self._config.data_file)
        if self._handshake is not None:
            self._handshake.kill(block=False)
        self.world.drop_accounts()
        self.world.timers.stop()
        self.world.webhooks.clear()
        self._server.stop(timeout=0.2)
        self._close_connections()
        self.world.webhooks.close()

    def _save_regularly(self, path: Path) -> None:
        while True:
            gevent.sleep(_SAVE_SECONDS)
            if self.world.hub.last_id != self._saved_event:
                self._save(path)

    def _save(self, path: Path) -> None:
        last = self.world.hub.last_id
        try:
            save_world(self.world, path)
        except OSError as error:  # the disk is full, for instance: the next round tries again
            logger.error("the world cannot be saved in %s: %s", path, error.strerror)  # noqa: TRY400 - no traceback
        else:
            self._saved_event = last

    def _refuse(self, seconds: float) -> None:
        gevent.sleep(0.01)  # The control call's response is sent first.
        port = self._server.address[1]
        self._server.stop(timeout=0)
        self._close_connections()
        gevent.sleep(seconds)
        if not self._stopped:
            self._server = self._make_server(port)
            self._server.start()

    def _close_connections(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _make_server(self, port: int) -> WSGIServer:
        return WSGIServer(
            (self._config.host, port),
            self.app,
            log=None,
            error_log=logger,
            handler_class=_handler(self._open),
        )


def _saved_world(config: EmulatorConfig, path: Path) -> World:
    """Return the saved world, or a seeded one if there is no file yet."""
    if not path.exists():
        return new_world(config)
    world = World(config)
    load_world(world, path)
    return world


def _handler(connections: set[Any]) -> type[WSGIHandler]:
    """Return a handler class that gives the application its connection and tracks open ones."""

    class Handler(WSGIHandler):  # type: ignore[misc]  # gevent has no types.
        def handle(self) -> None:
            connections.add(self.socket)
            connection = self.socket
            # Head and body are two writes: with Nagle's algorithm a response would wait 40 ms for an ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                super().handle()
            finally:
                connections.discard(connection)

        def log_request(self) -> None:
            """Write no access log; gevent would format its line even without a log."""

        def get_environ(self) -> dict[str, Any]:
            environ: dict[str, Any] = super().get_environ()
            environ[CONNECTION_KEY] = self.socket
            # gevent drops names with an underscore, and Meta's resumable upload has one (reference 4.6).
            if (offset := self.headers.get("file_offset")) is not None:
                environ["HTTP_FILE_OFFSET"] = offset
            return environ

    return Handler
