"""The HTTP server for fakes of external services: a responder, a model, a subscriber, a webhook receiver."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class ToolServer(ThreadingHTTPServer):
    """An HTTP server with a backlog of 256; the standard library's default of five would reset further connections."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """Log nothing: a client that was killed or gave up is no error of the server."""
