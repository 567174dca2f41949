"""The metrics of a machine without web."""

from __future__ import annotations

import socket
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from wa_service.worker.metrics_server import MetricsServer


@pytest.mark.parametrize("host", ["192.0.2.1", "no-address.invalid"])
def test_an_address_that_is_none_of_this_machine_is_said_once(host: str) -> None:
    server = MetricsServer(host, 19_108, None, Mock())
    with capture_logs() as lines:
        server.listen()
        server.listen()
    assert [(line["event"], line["port"]) for line in lines] == [("whatsapp.worker.metrics_not_served", 19_108)]
    assert lines[0]["reason"]


def test_a_port_of_another_worker_is_no_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, capture_logs() as lines:
        MetricsServer("127.0.0.1", other.getsockname()[1], None, Mock()).listen()
    assert lines == []
