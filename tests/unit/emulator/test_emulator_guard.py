"""Cross-site requests and foreign host names are refused on every path."""

from __future__ import annotations

import pytest

from tests.unit.emulator.emulated import ACCOUNT, ANA, NUMBER, TOKEN, Emulator

PATHS = ["/", "/_emulator/state", "/_emulator/events", "/_page/page.css", f"/v24.0/{NUMBER}?access_token={TOKEN}"]


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


def test_every_host_name_is_allowed_beyond_loopback() -> None:
    emulator = Emulator(host="0.0.0.0", unsafe=True)
    assert emulator.client.get("/_emulator/state", headers={"Host": "emulator:8090"}).status_code == 200


def test_an_allowed_host_is_accepted_and_others_are_refused() -> None:
    emulator = Emulator(host="0.0.0.0", unsafe=True, allowed_hosts=("emulator",))
    statuses = [
        emulator.client.get("/_emulator/state", headers={"Host": host}).status_code
        for host in ("emulator:8090", "127.0.0.1:8090", "other:8090")
    ]
    assert statuses == [200, 200, 403]


def test_a_foreign_page_cannot_send_or_subscribe(fresh: Emulator) -> None:
    headers = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    for path in (f"{NUMBER}/messages", f"{ACCOUNT}/subscribed_apps"):
        assert fresh.post(f"{path}?access_token={TOKEN}", {"to": ANA}, headers=headers).status_code == 403
    assert fresh.control("GET", "seen").json["total"] == 0


def test_no_answer_allows_another_origin_to_read_it(fresh: Emulator) -> None:
    assert "Access-Control-Allow-Origin" not in fresh.get(NUMBER).headers
