"""The controls have no login: who may pull them, and who may not."""

from __future__ import annotations

import pytest

from tests.unit.emulator.emulated import NUMBER, Emulator

PATHS = ["/", "/_emulator/state", "/_emulator/events", "/_page/page.css"]


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_page_is_refused(fresh: Emulator, path: str) -> None:
    assert fresh.client.get(path, headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_name_for_this_machine_is_refused(fresh: Emulator, path: str) -> None:
    assert fresh.client.get(path, headers={"Host": "evil.example:8090"}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8090", "127.0.0.1:8090", "[::1]:8090", "emulator.localhost"])
def test_this_machines_names_are_fine(fresh: Emulator, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert fresh.client.get("/_emulator/state", headers=headers).status_code == 200


def test_another_port_of_this_machine_is_another_page(fresh: Emulator) -> None:
    headers = {"Host": "localhost:8090", "Origin": "http://localhost:3000"}
    assert fresh.client.get("/_emulator/state", headers=headers).status_code == 403


def test_who_binds_more_than_loopback_may_be_called_anything() -> None:
    emulator = Emulator(host="0.0.0.0", unsafe=True)
    assert emulator.client.get("/_emulator/state", headers={"Host": "emulator:8090"}).status_code == 200


def test_graph_is_open_to_whoever_has_the_token(fresh: Emulator) -> None:
    headers = {"Host": "graph.facebook.com", "Origin": "https://tool.example"}
    assert fresh.get(NUMBER, headers=headers).status_code == 200
    assert fresh.get(NUMBER, token=None, headers=headers).status_code == 401
