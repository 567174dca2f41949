"""Free ports for the tests' servers."""

from __future__ import annotations

import socket

from meta_emulator.free_port import free_port


def test_no_port_twice_and_none_that_an_outgoing_connection_may_take() -> None:
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == 300
    assert max(ports) < 32_768
    with socket.create_server(("127.0.0.1", ports[0])) as server:
        assert server.getsockname()[1] == ports[0]
