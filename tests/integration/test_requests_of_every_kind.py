"""`POST /v1/messages` accepts whatever Meta's reference allows, and Meta receives it unchanged.

The bodies are generated at random (tests/meta_requests.py); an emulated Meta validates the requests.
"""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
import redis
import requests_mock

from meta_emulator.groups import create_group
from meta_emulator.records import Media, Template
from tests.drawn_cases import run_cases
from tests.meta_requests import CONTENTS, INTERACTIVE, KINDS, MEDIA, group_requests, requests_of, spelled, templates
from tests.unit.emulator.emulated import ANA, Emulator
from tests.unit.emulator.emulated import NUMBER as EMULATED
from tests.unit.web.conftest import Start, Web
from tests.unit.web.conftest import lines as lines
from tests.unit.web.conftest import start_for_the_file as start_for_the_file
from tests.unit.web.conftest import start_web as start_web
from tests.unit.web.deliveries import NUMBER
from wa_service.store.outbox import SendOutcome
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.outbound.messages import TYPES

FOREVER = 4e9
CASES = 8
"""Bodies of each kind in the suite."""
MANY = 400
"""The same in the long form."""


def without_nulls(value: Any) -> Any:
    """Remove nulls, which mean the same as absent fields."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


class Desk:
    """A web process on a real store, and an emulated Meta behind it."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.meta = Emulator()
        self._serial = itertools.count(447700100000)
        for mime_type, media_id in MEDIA.values():
            self.meta.world.media_store.restore(Media(media_id, mime_type, b"x", "", EMULATED, FOREVER))

    def passes(self, body: dict[str, Any]) -> dict[str, Any]:
        """Check that the service and Meta accept the message; return Meta's request."""
        answer = self.web.send(body, Prefer="respond-async")
        assert answer.status_code == 202, answer.json
        grant = self.web.grant()
        self.web.runtime.outbox.done(self.web.runtime.numbers[0], grant, SendOutcome("accepted", wamid=grant.id))
        sent: dict[str, Any] = orjson.loads(grant.body)
        taken = self.meta.post(f"{EMULATED}/messages", sent)
        assert taken.status_code == 200, taken.json
        return sent

    def reaches_a_customer_unchanged(self, body: dict[str, Any]) -> None:
        number = next(self._serial)
        self.reaches_meta_unchanged(body | {"to": spelled(number, body["to"])}, str(number))

    def reaches_meta_unchanged(self, body: dict[str, Any], to: str) -> None:
        sent = without_nulls(self.passes(body))
        expected = {"messaging_product": "whatsapp", "recipient_type": "individual", **without_nulls(body)}
        expected.pop("biz_opaque_callback_data", None)  # replaced by our own; the record has the caller's
        assert sent == expected | {"to": to}

    def reaches_a_group_unchanged(self, body: dict[str, Any]) -> None:
        world = self.meta.world
        group_id = f"12036300000{next(self._serial)}"
        create_group(world, world.numbers[EMULATED], "Team", [ANA], group_id)
        self.reaches_meta_unchanged(body | {"to": group_id}, group_id)


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start) -> Web:
    given = {"WA_API_RATE": "1000000/minute", "WHATSAPP_MESSAGES_PER_SECOND": "1000", "WHATSAPP_DAILY_LIMIT": "0"}
    return start_for_the_file(given | {"WHATSAPP_BUSINESS_ACCOUNT_ID": ""})


@pytest.fixture
def desk(process_of_the_file: Web, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Desk:
    return Desk(process_of_the_file)


def test_every_kind_that_is_checked_is_drawn() -> None:
    assert CONTENTS.keys() | {"interactive", "template"} == TYPES.keys()
    assert {"voice_call", "carousel", "order_details"} < INTERACTIVE.keys()


@pytest.mark.chaos
@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_every_kind_reaches_meta_as_it_was_given(desk: Desk, kind: str, long_form: Any) -> None:
    run_cases(desk.reaches_a_customer_unchanged, requests_of(kind), MANY if long_form else CASES)


@pytest.mark.chaos
def test_a_message_to_a_group_reaches_meta_as_it_was_given(desk: Desk, long_form: Any) -> None:
    run_cases(desk.reaches_a_group_unchanged, group_requests(), MANY if long_form else CASES)


@pytest.mark.chaos
def test_a_template_of_every_form_reaches_meta_as_it_was_given(desk: Desk, long_form: Any) -> None:
    def check(case: Any) -> None:
        world = desk.meta.world
        world.templates.clear()
        form = "NAMED" if case.is_named else "POSITIONAL"
        world.add_template(
            Template("1", "seasonal_offer", "en_GB", "MARKETING", "APPROVED", case.definition, parameter_format=form)
        )
        desk.reaches_a_customer_unchanged({"to": 0, "type": "template", "template": case.content})

    run_cases(check, templates(), MANY if long_form else CASES)


@pytest.mark.parametrize("more", [{}, {"typing_indicator": {"type": "text"}}])
def test_metas_own_read_mark_goes_to_meta(start_web: Start, more: Any) -> None:
    adapter = requests_mock.Adapter()
    adapter.register_uri("POST", "https://graph.example/v24.0/106540352242922/messages", json={"success": True})
    client = WhatsAppMetaClient(
        "a-token", NUMBER, base_url="https://graph.example", api_version="v24.0", adapter=adapter
    )
    mark = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.HBgL=", **more}
    answer = start_web(clients={NUMBER: client}).send(mark)
    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert [request.json() for request in adapter.request_history] == [mark]


@pytest.mark.parametrize("wrong", [{"message_id": ""}, {"status": "unread"}, {"from": 7}, {"typing_indicator": "yes"}])
def test_a_read_mark_that_says_nothing_is_refused(desk: Desk, wrong: Any) -> None:
    answer = desk.web.send({"status": "read", "message_id": "wamid.HBgL="} | wrong)
    assert answer.status_code == 400
    (named,) = [problem["field"] for problem in answer.json["errors"]]
    assert named in wrong
