"""The HTTP server of a stand-in for what others run: a responder, a model, a subscriber, a webhook's receiver."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class ToolServer(ThreadingHTTPServer):
    """Holds as many connections as a service may open at once; the standard library's holds five, and resets others."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """A caller that was killed, or no longer waits, is no error of the server."""
