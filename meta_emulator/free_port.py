"""Choose a free port for a server."""

from __future__ import annotations

import random
import socket

_LOWEST = 10_000
_EPHEMERAL = 32_768
"""The first port that systems use for outgoing connections, which could take it before the server starts."""

_chosen: set[int] = set()


def free_port() -> int:
    """Return an unused port of 127.0.0.1, never the same one twice in a process."""
    while True:
        # Not the global generator, which tests may seed: two processes would choose the same ports.
        port = random.SystemRandom().randrange(_LOWEST, _EPHEMERAL)
        if port not in _chosen and _is_free(port):
            _chosen.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
