"""The local address of a server that listens on WA_BIND."""

from __future__ import annotations


def reachable_at(bind: str) -> tuple[str, int] | None:
    """Host and port to connect to; None for a unix socket."""
    if bind.startswith("unix:"):
        return None
    host, _, port = bind.rpartition(":")
    everywhere = host in {"", "0.0.0.0", "[::]"}  # noqa: S104 - this reads an address, it does not bind one
    return ("127.0.0.1" if everywhere else host.strip("[]")), int(port)
