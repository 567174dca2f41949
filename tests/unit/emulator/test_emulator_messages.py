"""Sending: what Meta accepts, what it rejects, and what fails later."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.emulator.emulated import ACCOUNT, ANA, NUMBER, OTHER_NUMBER, Emulator, error

TEXT = {"type": "text", "text": {"body": "hello"}}


def test_a_text_is_answered_with_its_input_its_wa_id_and_a_wamid(meta: Emulator) -> None:
    answer = meta.text(to="+44 7700 900-123")
    assert answer.status_code == 200
    assert answer.json["contacts"] == [{"input": "+44 7700 900-123", "wa_id": ANA}]
    assert answer.json["messages"][0]["id"].startswith("wamid.")


def test_a_wamid_holds_the_peers_number(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    assert ANA.encode() in base64.b64decode(wamid.removeprefix("wamid."))


def test_a_template_is_answered_with_message_status(meta: Emulator) -> None:
    body = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
    assert meta.send(body).json["messages"][0]["message_status"] == "accepted"


def test_a_text_is_not_answered_with_message_status(meta: Emulator) -> None:
    assert "message_status" not in meta.text().json["messages"][0]


def test_the_type_is_text_where_none_is_named(meta: Emulator) -> None:
    assert meta.send({"text": {"body": "hello"}}).status_code == 200


@pytest.mark.parametrize(
    ("to", "wa_id"),
    [
        ("+5511988887777", "551188887777"),
        ("+525512345678", "5215512345678"),
        ("+541123456789", "5491123456789"),
        ("+447700900456", "447700900456"),
    ],
)
def test_the_wa_id_may_differ_from_the_input(meta: Emulator, to: str, wa_id: str) -> None:
    assert meta.text(to=to).json["contacts"] == [{"input": to, "wa_id": wa_id}]


def test_a_phone_keeps_the_spelling_under_which_it_wrote(meta: Emulator) -> None:
    meta.write(wa_id="5511988887777")
    assert meta.text(to="+551188887777").json["contacts"][0]["wa_id"] == "5511988887777"


def test_a_user_id_is_answered_without_a_wa_id(meta: Emulator) -> None:
    user_id = meta.do("phones", {"wa_id": ANA})["user_id"]
    body = {"messaging_product": "whatsapp", "recipient": user_id, **TEXT}
    answer = meta.post(f"{NUMBER}/messages", body)
    assert answer.json["contacts"] == [{"input": user_id, "user_id": user_id}]


class TestParentUserId:
    """A recipient by parent business-scoped user id (reference 2.1, 2.9)."""

    @pytest.fixture
    def send(self, meta: Emulator) -> Callable[[str], TestResponse]:
        body = {"messaging_product": "whatsapp", **TEXT}
        return lambda user_id: meta.post(f"{NUMBER}/messages", body | {"recipient": user_id})

    def test_it_is_a_recipient(self, meta: Emulator, send: Callable[[str], TestResponse]) -> None:
        phone = meta.do("phones", {"wa_id": ANA, "parent_user_id": "GB.ENT.9"})
        assert send("GB.ENT.9").json["contacts"] == [{"input": "GB.ENT.9", "user_id": phone["user_id"]}]
        assert meta.last()["text"] == TEXT["text"]

    def test_it_is_one_from_the_start(self, meta: Emulator, send: Callable[[str], TestResponse]) -> None:
        meta.do("phones", {"wa_id": "447700900456", "parent_user_id": "GB.ENT.9"})
        assert send("GB.ENT.9").status_code == 200

    @pytest.mark.parametrize("path", ["", "/user_id"])
    def test_a_replaced_one_is_unknown(self, meta: Emulator, send: Callable[[str], TestResponse], path: str) -> None:
        meta.do("phones", {"wa_id": ANA, "parent_user_id": "GB.ENT.9"})
        meta.control("POST" if path else "PATCH", f"phones/{ANA}{path}", {"parent_user_id": "GB.ENT.10"})
        assert error(send("GB.ENT.9"))["code"] == 131009
        assert send("GB.ENT.10").status_code == 200

    def test_it_survives_another_number(self, meta: Emulator, send: Callable[[str], TestResponse]) -> None:
        meta.do("phones", {"wa_id": ANA, "parent_user_id": "GB.ENT.9"})
        meta.do(f"phones/{ANA}/number", {"wa_id": "447700900456"})
        assert send("GB.ENT.9").status_code == 200


def test_to_wins_over_recipient(meta: Emulator) -> None:
    user_id = meta.do("phones", {"wa_id": "447700900999"})["user_id"]
    assert meta.send({**TEXT, "recipient": user_id}).json["contacts"][0]["wa_id"] == ANA


def test_a_form_is_taken_as_json_is(meta: Emulator) -> None:
    form = {"messaging_product": "whatsapp", "to": ANA, "type": "text", "text": '{"body":"hello"}'}
    assert meta.graph("POST", f"{NUMBER}/messages", data=form).status_code == 200


REFUSED: list[tuple[str, dict[str, Any], int, int]] = [
    ("no product", {"messaging_product": None, "to": ANA, **TEXT}, 100, 400),
    ("no recipient", {"to": None, **TEXT}, 100, 400),
    ("recipient is no number", {"to": "Ana", **TEXT}, 131009, 400),
    ("recipient is the sender", {"to": "15550783881", **TEXT}, 131021, 400),
    ("unknown user id", {"to": "", "recipient": "US.1", **TEXT}, 131009, 400),
    ("unknown type", {"type": "poll", "poll": {}}, 131051, 400),
    ("no content", {"type": "text"}, 100, 400),
    ("empty text", {"type": "text", "text": {"body": ""}}, 131008, 400),
    ("text that is no text", {"type": "text", "text": {"body": 5}}, 100, 400),
    ("long text", {"type": "text", "text": {"body": "x" * 4097}}, 100, 400),
    ("image without source", {"type": "image", "image": {"caption": "x"}}, 100, 400),
    ("image with two sources", {"type": "image", "image": {"id": "1", "link": "https://a.example"}}, 100, 400),
    ("image by strange link", {"type": "image", "image": {"link": "ftp://a.example/b"}}, 131009, 400),
    ("unknown media id", {"type": "image", "image": {"id": "1"}}, 131009, 400),
    ("caption on audio", {"type": "audio", "audio": {"link": "https://a.example", "caption": "x"}}, 100, 400),
    ("long caption", {"type": "image", "image": {"link": "https://a.example", "caption": "x" * 1025}}, 100, 400),
    ("location without longitude", {"type": "location", "location": {"latitude": 1}}, 131008, 400),
    ("location off the globe", {"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009, 400),
    ("no contacts", {"type": "contacts", "contacts": []}, 100, 400),
    ("contact without name", {"type": "contacts", "contacts": [{"phones": []}]}, 131008, 400),
    ("contact with half a name", {"type": "contacts", "contacts": [{"name": {"formatted_name": "A"}}]}, 131008, 400),
    ("reaction to nothing", {"type": "reaction", "reaction": {"emoji": "x"}}, 131008, 400),
    ("quote without id", {**TEXT, "context": {}}, 131008, 400),
    ("long callback data", {**TEXT, "biz_opaque_callback_data": "x" * 513}, 100, 400),
    ("group", {**TEXT, "recipient_type": "group"}, 131041, 400),
]


@pytest.mark.parametrize(("body", "code", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_meta_refuses_at_once(meta: Emulator, body: dict[str, Any], code: int, status: int) -> None:
    answer = meta.send({name: value for name, value in body.items() if value is not None or name == "to"})
    if body.get("messaging_product", "") is None:
        answer = meta.post(f"{NUMBER}/messages", {"to": ANA, **TEXT})
    assert (error(answer)["code"], answer.status_code) == (code, status)


def test_a_refusal_says_why_in_the_details(meta: Emulator) -> None:
    found = error(meta.send({"type": "location", "location": {"latitude": 1}}))
    assert found["error_data"]["details"] == "location: longitude is required."


def test_a_body_that_is_not_json_is_error_100(meta: Emulator) -> None:
    answer = meta.graph("POST", f"{NUMBER}/messages", data=b"{", content_type="application/json")
    assert (answer.status_code, error(answer)["code"]) == (400, 100)


def test_a_number_that_is_not_registered_sends_nothing(meta: Emulator) -> None:
    meta.post(f"{NUMBER}/deregister")
    assert error(meta.text())["code"] == 133010


def test_a_message_outside_the_window_fails_later_with_131047(fresh: Emulator) -> None:
    assert fresh.text().status_code == 200
    assert (fresh.last()["status"], fresh.last()["errors"][0]["code"]) == ("failed", 131047)


def test_a_template_needs_no_window(fresh: Emulator) -> None:
    fresh.sent({"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}})
    assert fresh.last()["status"] == "delivered"


def test_the_window_closes_a_day_after_the_last_message(meta: Emulator) -> None:
    meta.do("clock", {"advance": 24 * 3600 - 60})
    meta.sent(TEXT)
    before = meta.last()["status"]
    meta.do("clock", {"advance": 120})
    meta.sent(TEXT)
    assert (before, meta.last()["status"]) == ("delivered", "failed")


def test_a_window_belongs_to_one_number(meta: Emulator) -> None:
    meta.sent(TEXT, number=OTHER_NUMBER)
    assert meta.last()["errors"][0]["code"] == 131047


def test_a_closed_window_can_be_refused_at_once(fresh: Emulator) -> None:
    fresh.do("behaviour", {"window_error": "now"})
    assert error(fresh.text())["code"] == 131047


def failure_with(meta: Emulator, **traits: Any) -> int:
    meta.do("phones", {"wa_id": ANA, **traits})
    meta.sent(TEXT)
    return int(meta.last()["errors"][0]["code"])


def test_a_number_without_whatsapp_fails_later_with_131026(meta: Emulator) -> None:
    assert failure_with(meta, on_whatsapp=False) == 131026


def test_a_blocked_customer_fails_later_with_130403(meta: Emulator) -> None:
    meta.post(f"{NUMBER}/block_users", {"messaging_product": "whatsapp", "block_users": [{"user": ANA}]})
    assert failure_with(meta) == 130403


def test_a_customer_without_marketing_fails_later_with_131050(meta: Emulator) -> None:
    meta.do("phones", {"wa_id": ANA, "marketing": False})
    meta.send({"type": "template", "template": {"name": "plant_carousel", "language": {"code": "en_US"}}})
    components = [{"type": "body", "parameters": [{"type": "text", "text": "Aloe"}]}]
    header = {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://a.example/a.png"}}]}
    cards = [{"card_index": index, "components": [header, *components]} for index in range(2)]
    template = {
        "name": "plant_carousel",
        "language": {"code": "en_US"},
        "components": [{"type": "carousel", "cards": cards}],
    }
    meta.sent({"type": "template", "template": template})
    assert meta.last()["errors"][0]["code"] == 131050


class TestIdentityHash:
    """`recipient_identity_key_hash`, and the phone's `identity_hash` (reference 2.1)."""

    def test_another_one_fails_later_with_137000(self, meta: Emulator) -> None:
        meta.sent({**TEXT, "recipient_identity_key_hash": "other"})
        assert meta.last()["errors"][0]["code"] == 137000

    def test_the_phones_own_is_delivered(self, meta: Emulator) -> None:
        own = meta.control("GET", f"phones/{ANA}").json["identity_hash"]
        meta.sent({**TEXT, "recipient_identity_key_hash": own})
        assert (len(own), meta.last()["status"]) == (12, "delivered")

    @pytest.mark.parametrize("method", ["POST", "PATCH", "seed"])
    def test_it_can_be_given(self, meta: Emulator, method: str) -> None:
        given = {"identity_hash": "DF2l="}
        if method == "seed":
            meta.do("seed", {"phones": [{"wa_id": ANA, **given}]})
        elif method == "POST":
            meta.do("phones", {"wa_id": ANA, **given})
        else:
            meta.control("PATCH", f"phones/{ANA}", given)
        meta.sent({**TEXT, "recipient_identity_key_hash": "DF2l="})
        assert meta.last()["status"] == "delivered"

    def test_an_empty_one_is_replaced_by_a_new_one(self, meta: Emulator) -> None:
        before = meta.control("GET", f"phones/{ANA}").json["identity_hash"]
        after = meta.control("PATCH", f"phones/{ANA}", {"identity_hash": ""}).json["identity_hash"]
        assert len(after) == 12
        assert after != before

    def test_it_is_a_string(self, meta: Emulator) -> None:
        assert error(meta.send({**TEXT, "recipient_identity_key_hash": 5}))["code"] == 100


def test_a_test_number_refuses_who_is_not_listed(meta: Emulator) -> None:
    meta.control("PATCH", f"numbers/{NUMBER}", {"test_recipients": ["15550102030"]})
    assert error(meta.text())["code"] == 131030


def test_a_test_number_sends_to_who_is_listed(meta: Emulator) -> None:
    meta.control("PATCH", f"numbers/{NUMBER}", {"test_recipients": [ANA]})
    assert meta.text().status_code == 200


def test_a_taken_message_is_sent_and_delivered(meta: Emulator) -> None:
    meta.sent(TEXT)
    assert meta.last()["status"] == "delivered"


def test_a_phone_that_is_off_gets_what_waited_when_it_is_on(meta: Emulator) -> None:
    meta.do("phones", {"wa_id": ANA, "auto_deliver": False})
    meta.sent(TEXT)
    before = meta.last()["status"]
    meta.control("PATCH", f"phones/{ANA}", {"auto_deliver": True})
    assert (before, meta.last()["status"]) == ("sent", "delivered")


def test_a_phone_that_reads_at_once_reads_at_once(meta: Emulator) -> None:
    meta.do("phones", {"wa_id": ANA, "auto_read": True})
    meta.sent(TEXT)
    assert meta.last()["status"] == "read"


def test_a_reaction_only_gets_as_far_as_sent(meta: Emulator) -> None:
    wamid = meta.write()
    meta.sent({"type": "reaction", "reaction": {"message_id": wamid, "emoji": "👍"}})
    assert meta.last()["status"] == "sent"


def test_a_reaction_sits_on_its_message(meta: Emulator) -> None:
    wamid = meta.write()
    meta.sent({"type": "reaction", "reaction": {"message_id": wamid, "emoji": "👍"}})
    assert next(item for item in meta.shown() if item["id"] == wamid)["reactions"] == {NUMBER: "👍"}


def failed_reaction(meta: Emulator, target: str) -> bool:
    """React to a message and return whether that failed with 131009."""
    meta.sent({"type": "reaction", "reaction": {"message_id": target, "emoji": "👍"}})
    return [item["code"] for item in meta.last().get("errors", [])] == [131009]


class TestReactionThatFails:
    """A reaction without a target is accepted and fails later with 131009 (reference 2.3)."""

    def test_to_an_unknown_message(self, meta: Emulator) -> None:
        assert failed_reaction(meta, "wamid.none")

    def test_to_a_message_of_another_customer(self, meta: Emulator) -> None:
        assert failed_reaction(meta, meta.write(wa_id="15550102030"))

    def test_to_a_message_of_another_number(self, meta: Emulator) -> None:
        assert failed_reaction(meta, meta.write(phone_number_id=OTHER_NUMBER))

    def test_to_a_reaction(self, meta: Emulator) -> None:
        reaction = {"type": "reaction", "reaction": {"message_id": meta.write(), "emoji": "👍"}}
        assert failed_reaction(meta, meta.sent(reaction))

    def test_to_a_message_of_30_days_ago(self, meta: Emulator) -> None:
        old = meta.write()
        meta.do("clock", {"advance": 30 * 86400})
        meta.write()
        assert failed_reaction(meta, old)

    def test_it_leaves_the_message_as_it_is(self, meta: Emulator) -> None:
        target = meta.write(wa_id="15550102030")
        failed_reaction(meta, target)
        assert "reactions" not in meta.last("15550102030")


def test_marking_as_read_reads_the_earlier_ones_too(meta: Emulator) -> None:
    meta.write("first")
    wamid = meta.write("second")
    answer = meta.post(f"{NUMBER}/messages", {"messaging_product": "whatsapp", "status": "read", "message_id": wamid})
    assert answer.json == {"success": True}
    assert {item["status"] for item in meta.shown()} == {"read"}


def test_marking_an_unknown_message_as_read_is_131009(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.none"}
    assert error(meta.post(f"{NUMBER}/messages", body))["code"] == 131009


def test_the_typing_indicator_is_shown_for_25_seconds(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": meta.write()}
    meta.post(f"{NUMBER}/messages", {**body, "typing_indicator": {"type": "text"}})
    typing = next(event for event in meta.world.hub.stream(0, 0.1) if event and event.kind == "typing")
    assert typing.data["until"] == pytest.approx(meta.world.clock.now() + 25, abs=2)


def test_only_marketing_templates_pass_the_marketing_edge(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "to": ANA}
    text = meta.post(f"{NUMBER}/marketing_messages", {**body, **TEXT})
    template = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
    utility = meta.post(f"{NUMBER}/marketing_messages", {**body, **template})
    assert (error(text)["code"], error(utility)["code"]) == (131055, 134100)


def test_a_one_time_code_cannot_go_to_a_user_id(meta: Emulator) -> None:
    user_id = meta.do("phones", {"wa_id": ANA})["user_id"]
    code = [{"type": "text", "text": "482913"}]
    components = [
        {"type": "body", "parameters": code},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": code},
    ]
    template = {"name": "one_time_code", "language": {"code": "en_US"}, "components": components}
    body = {"messaging_product": "whatsapp", "recipient": user_id, "type": "template", "template": template}
    assert error(meta.post(f"{NUMBER}/messages", body))["code"] == 131062


OFFER = {"name": "weekend_offer", "language": {"code": "en_US"}}


def test_marketing_that_is_off_the_cloud_api_has_a_road_of_its_own(meta: Emulator) -> None:
    assert meta.post(ACCOUNT, {"disable_marketing_messages_on_cloud_api": True}).json == {"success": True}
    shown = meta.get(f"{ACCOUNT}?fields=disable_marketing_messages_on_cloud_api").json
    assert shown["disable_marketing_messages_on_cloud_api"] is True
    body = {"messaging_product": "whatsapp", "to": f"+{ANA}", "type": "template", "template": OFFER}
    assert error(meta.post(f"{NUMBER}/messages", body))["code"] == 131063
    assert meta.post(f"{NUMBER}/marketing_messages", body).status_code == 200
    assert meta.text().status_code == 200, "other messages are not touched"


class TestMarketingPolicy:
    """`/marketing_messages` with a `product_policy`, with and without access to the Marketing Messages API."""

    @pytest.fixture
    def offer(self, meta: Emulator) -> Callable[..., TestResponse]:
        body = {"messaging_product": "whatsapp", "to": f"+{ANA}", "type": "template", "template": OFFER}
        return lambda **more: meta.post(f"{NUMBER}/marketing_messages", body | more)

    @pytest.mark.parametrize(
        "given",
        [{"product_policy": "BEST_EFFORT"}, {"message_activity_sharing": "yes"}, {"recipient_type": "group"}],
    )
    def test_what_it_does_not_know_is_100(self, offer: Callable[..., TestResponse], given: dict[str, Any]) -> None:
        assert error(offer(**given))["code"] == 100

    @pytest.mark.parametrize("policy", ["CLOUD_API_FALLBACK", "STRICT"])
    def test_both_go_where_it_may_be_used(self, offer: Callable[..., TestResponse], policy: str) -> None:
        assert offer(product_policy=policy, message_activity_sharing=True).status_code == 200

    def test_a_form_has_booleans_as_words(self, meta: Emulator) -> None:
        form = {"messaging_product": "whatsapp", "to": ANA, "type": "template", "template": json.dumps(OFFER)}
        form["message_activity_sharing"] = "true"
        assert meta.graph("POST", f"{NUMBER}/marketing_messages", data=form).status_code == 200

    def test_strict_is_refused_and_the_fallback_goes_by_the_cloud_api(
        self, meta: Emulator, offer: Callable[..., TestResponse]
    ) -> None:
        meta.do("behaviour", {"marketing_messages": False})
        assert error(offer(product_policy="STRICT"))["code"] == 134102
        assert offer(product_policy="CLOUD_API_FALLBACK").status_code == 200
        meta.post(ACCOUNT, {"disable_marketing_messages_on_cloud_api": True})
        assert error(offer(product_policy="CLOUD_API_FALLBACK"))["code"] == 131063


class TestDirectSend:
    """A message with a `category`, from which Meta creates the template."""

    def test_it_needs_no_window_and_is_charged_as_its_category(self, fresh: Emulator) -> None:
        closed = fresh.sent(TEXT)
        direct = fresh.sent({**TEXT, "category": "utility"})
        assert [fresh.world.messages[wamid].status for wamid in (closed, direct)] == ["failed", "delivered"]
        message = fresh.world.messages[direct]
        assert (message.category, message.free) == ("utility", False)

    @pytest.mark.parametrize(
        "body",
        [
            {**TEXT, "category": "marketing"},
            {"type": "text", "text": {"body": "x" * 1_025}, "category": "utility"},
            {"type": "location", "location": {"latitude": 1, "longitude": 2}, "category": "utility"},
            {"type": "template", "template": OFFER, "category": "utility"},
        ],
    )
    def test_what_is_not_eligible_is_100(self, meta: Emulator, body: dict[str, Any]) -> None:
        assert error(meta.send(body))["code"] == 100

    def test_a_code_cannot_go_to_a_user_id(self, meta: Emulator) -> None:
        user_id = meta.do("phones", {"wa_id": ANA})["user_id"]
        body = {"messaging_product": "whatsapp", "recipient": user_id, **TEXT, "category": "authentication"}
        assert error(meta.post(f"{NUMBER}/messages", body))["code"] == 131062

    def test_the_template_it_makes_is_listed_apart_and_stays_as_it_is(self, meta: Emulator) -> None:
        templates = f"{ACCOUNT}/message_templates"
        before = meta.get(templates).json["data"]
        for _ in range(2):
            meta.sent({**TEXT, "category": "utility"})
        (made,) = meta.get(f"{templates}?source=AUTO_GENERATED").json["data"]
        assert (made["category"], made["status"]) == ("UTILITY", "APPROVED")
        assert meta.get(templates).json["data"] == before
        assert error(meta.post(made["id"], {"category": "MARKETING"}))["error_subcode"] == 2388318
        deleted = meta.graph("DELETE", f"{templates}?name={made['name']}")
        assert error(deleted)["error_subcode"] == 2388330
