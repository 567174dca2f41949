"""A port to start a server on."""

from __future__ import annotations

import random
import socket

_LOWEST = 10_000
_EPHEMERAL = 32_768
"""From here on systems pick the ports of outgoing connections: one of them could take a port between choice and use."""

_chosen: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on; no port twice in one process."""
    while True:
        # Not the calling test's generator: with its seed two processes would choose the same ports.
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
