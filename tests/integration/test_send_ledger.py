"""Sends that a killed process was granted and had not begun leave at once; others are unknown."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from tests.integration.lanes import NUMBER, Lanes, send
from wa_service.delivery.send_ledger import SendLedger, read_ledger
from wa_service.delivery.sender import Sender
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.grants import Grant
from wa_service.store.outbox import CLAIM_SECONDS
from wa_service.whatsapp.client import Sent, WhatsAppMetaClient

CUSTOMERS = ("15551230001", "15551230002", "15551230003")


@pytest.fixture
def descriptor() -> Iterator[int]:
    opened = os.memfd_create("sends")
    yield opened
    os.close(opened)


def names(*grants: Grant) -> set[str]:
    return {f"{grant.id}:{grant.token}" for grant in grants}


def test_what_was_granted_and_not_begun_is_granted_again_at_once(lanes: Lanes) -> None:
    for customer in CUSTOMERS:
        lanes.outbox.put(send(customer))
    grants = lanes.grant(consumer="dead", count=3)
    lanes.inbox.release_consumer("dead", died=True, begun=names(grants[0]))
    again = lanes.grant(consumer="next", count=3)
    assert {grant.id for grant in again} == {grant.id for grant in grants[1:]}
    assert lanes.outbox.reap() == [grants[0].id]


def test_where_nobody_knows_what_was_begun_all_of_it_is_unknown(lanes: Lanes) -> None:
    lanes.outbox.put(send())
    (grant,) = lanes.grant(consumer="dead")
    lanes.inbox.release_consumer("dead", died=True)
    assert lanes.grant(consumer="next") == []
    assert lanes.outbox.reap() == [grant.id]


def test_what_is_granted_again_comes_before_what_waits_behind_it(lanes: Lanes) -> None:
    for record in ("a", "b"):
        lanes.outbox.put(send(id=record))
    lanes.grant(consumer="dead")
    lanes.inbox.release_consumer("dead", died=True, begun=[])
    assert [grant.id for grant in lanes.grant(consumer="next", count=2)] == ["a"]


def test_a_probe_that_never_left_leaves_the_probe_to_another(lanes: Lanes) -> None:
    lanes.outbox.put(send(id="a"))
    lanes.outbox.pause(NUMBER, "throttled")
    lanes.store.do("HSET", lanes.store.keys.pause(NUMBER), "until", 1)
    (probe,) = lanes.grant(consumer="dead")
    lanes.inbox.release_consumer("dead", died=True, begun=[])
    assert [grant.id for grant in lanes.grant(consumer="next")] == [probe.id]


@pytest.fixture
def meta(descriptor: int) -> Iterator[Meta]:
    with Meta(descriptor) as server:
        yield server


class Meta:
    """A server that accepts every send, and reads the ledger when one arrives."""

    def __init__(self, descriptor: int) -> None:
        self.marked_on_arrival: list[set[str]] = []
        arrivals = self.marked_on_arrival

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                arrivals.append(read_ledger(descriptor))
                answer = json.dumps({"messages": [{"id": "wamid.1"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Do not log requests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = WhatsAppMetaClient(access_token="t", phone_number_id=NUMBER, app_secret="s", base_url=url)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_send_is_marked_from_its_first_byte_until_its_outcome_is_stored(
    lanes: Lanes, meta: Meta, descriptor: int
) -> None:
    lanes.outbox.put(send())
    (grant,) = lanes.grant()
    before: list[set[str]] = []

    def post(payload: dict[str, Any]) -> Sent:
        before.append(read_ledger(descriptor))
        return meta.client.send(payload)

    Sender(NUMBER, post, lanes.outbox, ledger=SendLedger(descriptor)).send(grant)
    assert before == [set()]
    assert meta.marked_on_arrival == [names(grant)]
    assert read_ledger(descriptor) == set()


def test_a_send_that_reached_nobody_was_never_marked(lanes: Lanes, descriptor: int) -> None:
    lanes.outbox.put(send())
    (grant,) = lanes.grant()
    url = "http://127.0.0.1:1"
    unreachable = WhatsAppMetaClient(access_token="t", phone_number_id=NUMBER, app_secret="s", base_url=url)
    after: list[set[str]] = []

    def post(payload: dict[str, Any]) -> Sent:
        try:
            return unreachable.send(payload)
        finally:
            after.append(read_ledger(descriptor))

    outcome = Sender(NUMBER, post, lanes.outbox, ledger=SendLedger(descriptor)).send(grant)
    assert outcome.kind == "retry"
    assert after == [set()]


def test_a_send_whose_outcome_could_not_be_stored_stays_marked(lanes: Lanes, meta: Meta, descriptor: int) -> None:
    lanes.outbox.put(send())
    (grant,) = lanes.grant()

    class Unwilling:
        claim_seconds = CLAIM_SECONDS

        def done(self, *_: object) -> None:
            raise StoreUnavailableError("away")

    sender = Sender(
        NUMBER,
        meta.client.send,
        Unwilling(),  # type: ignore[arg-type]  # it has what a sender asks of it
        wait_for_store=lambda _: False,
        ledger=SendLedger(descriptor),
    )
    sender.send(grant)
    assert read_ledger(descriptor) == names(grant)


def test_a_place_in_the_ledger_is_used_again(meta: Meta, descriptor: int) -> None:
    ledger = SendLedger(descriptor)
    grants = [Grant(f"{n:032x}", n, "c", "text", b"{}", 0, 0, 0, "", 0) for n in range(40)]
    payload = {"messaging_product": "whatsapp", "to": "15551230001", "type": "text", "text": {"body": "x"}}
    for n, grant in enumerate(grants):
        with ledger.sending(grant):
            meta.client.send(payload)
        if n % 2 == 0:
            ledger.settle(grant)
    assert read_ledger(descriptor) == names(*grants[1::2])
    assert os.fstat(descriptor).st_size <= 21 * 96
