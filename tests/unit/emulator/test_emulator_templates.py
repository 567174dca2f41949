"""Template management: created, reviewed, listed, edited, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ACCOUNT, Emulator, error

BODY = {"type": "BODY", "text": "Thank you for your visit to our shop."}
VARIABLES = {
    "type": "BODY",
    "text": "Hello {{1}}, thank you for your visit to our shop on {{2}} last week.",
    "example": {"body_text": [["Ana", "Monday"]]},
}


def definition(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "thanks",
        "language": "en_US",
        "category": "UTILITY",
        "components": list(components) or [BODY],
        **more,
    }


def created(meta: Emulator, **more: Any) -> str:
    answer = meta.post(f"{ACCOUNT}/message_templates", definition(**more))
    assert answer.status_code == 200, answer.text
    return str(answer.json["id"])


def status_of(meta: Emulator, template_id: str) -> str:
    return str(meta.get(f"{template_id}?fields=status").json["status"])


def test_a_new_template_waits_for_its_review(meta: Emulator) -> None:
    answer = meta.post(f"{ACCOUNT}/message_templates", definition()).json
    assert (answer["status"], answer["category"]) == ("PENDING", "UTILITY")


def test_the_review_approves(meta: Emulator) -> None:
    template_id = created(meta)
    meta.do("clock", {"advance": 3})
    meta.do("settle")
    assert status_of(meta, template_id) == "APPROVED"


def test_the_review_can_be_immediate(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    assert status_of(meta, created(meta)) == "APPROVED"


def test_the_review_rejects_variables_side_by_side(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    text = "Hello {{1}} {{2}}, thank you for your visit to our shop last week."
    body = {"type": "BODY", "text": text, "example": {"body_text": [["Ana", "Li"]]}}
    template_id = created(meta, components=[body])
    found = meta.get(f"{template_id}?fields=status,rejected_reason").json
    assert (found["status"], found["rejected_reason"]) == ("REJECTED", "INVALID_FORMAT")


def test_a_reviewer_may_decide(meta: Emulator) -> None:
    template_id = created(meta)
    meta.do(f"templates/{template_id}", {"status": "REJECTED", "reason": "SCAM"})
    assert status_of(meta, template_id) == "REJECTED"


def test_types_are_taken_in_any_letter_case(meta: Emulator) -> None:
    template_id = created(meta, components=[{**BODY, "type": "body"}], category="utility")
    assert meta.get(template_id).json["components"][0]["type"] == "BODY"


URL = {"type": "URL", "text": "Go", "url": "https://a.example/{{1}}", "example": ["https://a.example/1"]}
QUICK = {"type": "QUICK_REPLY", "text": "Yes"}


def with_buttons(*buttons: dict[str, Any]) -> list[dict[str, Any]]:
    return [BODY, {"type": "BUTTONS", "buttons": list(buttons)}]


REFUSED: dict[str, tuple[int | None, dict[str, Any]]] = {
    "name with capitals": (2388046, {"name": "Thanks"}),
    "no body": (2388043, {"components": [{"type": "FOOTER", "text": "x"}]}),
    "long body": (2388040, {"components": [{"type": "BODY", "text": "x" * 1025}]}),
    "variables without example": (2388043, {"components": [{**VARIABLES, "example": {}}]}),
    "variable at the start": (2388299, {"components": [{**VARIABLES, "text": "{{1}} came to our shop last week."}]}),
    "variable at the end": (2388299, {"components": [{**VARIABLES, "text": "We saw you last week, {{1}}"}]}),
    "too many variables": (2388293, {"components": [{**VARIABLES, "text": "a {{1}} b {{2}} c"}]}),
    "long header": (2388047, {"components": [BODY, {"type": "HEADER", "format": "TEXT", "text": "x" * 61}]}),
    "image without handle": (2388043, {"components": [BODY, {"type": "HEADER", "format": "IMAGE"}]}),
    "variable in the footer": (2388073, {"components": [BODY, {"type": "FOOTER", "text": "{{1}}"}]}),
    "three links": (2388060, {"components": with_buttons(URL, URL, URL)}),
    "scattered quick replies": (2388060, {"components": with_buttons(QUICK, URL, QUICK)}),
    "long button": (2388060, {"components": with_buttons({**QUICK, "text": "x" * 26})}),
    "link without example": (2388043, {"components": with_buttons({**URL, "example": []})}),
    "variable inside a link": (2388060, {"components": with_buttons({**URL, "url": "https://{{1}}.example"})}),
    "names without NAMED": (
        None,
        {
            "components": [
                {
                    "type": "BODY",
                    "text": "Hello {{name}}, thank you for your visit to our shop.",
                    "example": {"body_text_named_params": [{"param_name": "name", "example": "Ana"}]},
                }
            ]
        },
    ),
    "unknown category": (None, {"category": "FUN"}),
    "strange language": (None, {"language": "english"}),
    "no components": (None, {"components": None}),
}


@pytest.mark.parametrize(("subcode", "changes"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_definition_is_refused(meta: Emulator, subcode: int | None, changes: dict[str, Any]) -> None:
    answer = meta.post(f"{ACCOUNT}/message_templates", {**definition(), **changes})
    found = error(answer)
    assert (answer.status_code, found["code"], found.get("error_subcode")) == (400, 100, subcode)


def test_the_same_name_and_language_twice_is_2388024(meta: Emulator) -> None:
    created(meta)
    assert error(meta.post(f"{ACCOUNT}/message_templates", definition()))["error_subcode"] == 2388024


def test_another_language_of_a_name_is_fine(meta: Emulator) -> None:
    created(meta)
    assert created(meta, language="de")


def test_a_deleted_name_is_blocked_for_thirty_days(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    created(meta)
    meta.graph("DELETE", f"{ACCOUNT}/message_templates?name=thanks")
    blocked = error(meta.post(f"{ACCOUNT}/message_templates", definition()))
    meta.do("clock", {"advance": 30 * 86400 + 1})
    assert blocked["error_subcode"] == 2388023
    assert created(meta)


def test_deleting_one_language_leaves_the_name_to_the_others(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    english = created(meta)
    created(meta, language="de")
    meta.graph("DELETE", f"{ACCOUNT}/message_templates?name=thanks&hsm_id={english}")
    assert created(meta, language="fr")
    assert error(meta.post(f"{ACCOUNT}/message_templates", definition()))["error_subcode"] == 2388023


def names(meta: Emulator, query: str) -> list[str]:
    return [item["name"] for item in meta.get(f"{ACCOUNT}/message_templates?{query}").json["data"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=hello", ["hello_world"]),
        ("status=REJECTED", ["rejected_offer"]),
        ("category=AUTHENTICATION", ["one_time_code"]),
        ("language=pt_BR", ["order_update"]),
        ("content=plants", ["plant_carousel"]),
        ("name_or_content=plants", ["plant_carousel"]),
        ("quality_score=RED", ["paused_offer", "disabled_offer"]),
        ("name=no_such", []),
    ],
)
def test_the_list_is_filtered(meta: Emulator, query: str, found: list[str]) -> None:
    assert names(meta, query) == found


def test_the_list_shows_the_fields_that_were_asked_for(meta: Emulator) -> None:
    answer = meta.get(f"{ACCOUNT}/message_templates?name=hello&fields=name,status").json
    assert {name for item in answer["data"] for name in item} == {"name", "status", "id"}


def test_an_edited_template_is_reviewed_again(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    template_id = created(meta)
    meta.do("behaviour", {"template_review": -1})
    answer = meta.post(template_id, {"components": [VARIABLES]}).json
    assert answer == {"success": True, "id": template_id, "name": "thanks", "category": "UTILITY"}
    assert status_of(meta, template_id) == "PENDING"


def test_an_edit_that_is_refused_changes_nothing(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    template_id = created(meta)
    before = meta.get(template_id).json
    wrong = {"components": [VARIABLES], "message_send_ttl_seconds": "soon"}
    assert error(meta.post(template_id, wrong))["code"] == 100
    assert meta.get(template_id).json == before


def test_an_approved_template_is_edited_once_a_day(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    template_id = created(meta)
    meta.post(template_id, {"components": [VARIABLES]})
    again = meta.post(template_id, {"components": [BODY]})
    meta.do("clock", {"advance": 86401})
    assert error(again)["error_subcode"] == 2388039
    assert meta.post(template_id, {"components": [BODY]}).status_code == 200


def test_the_category_of_an_approved_template_is_fixed(meta: Emulator) -> None:
    meta.do("behaviour", {"template_review": 0})
    assert error(meta.post(created(meta), {"category": "MARKETING"}))["error_subcode"] == 2388039


def test_a_pending_template_cannot_be_edited(meta: Emulator) -> None:
    assert error(meta.post(created(meta), {"components": [BODY]}))["error_subcode"] == 2388039


def test_deleting_by_name_deletes_every_language(meta: Emulator) -> None:
    meta.graph("DELETE", f"{ACCOUNT}/message_templates?name=order_update")
    assert names(meta, "name=order_update") == []


def test_deleting_by_id_deletes_one_language(meta: Emulator) -> None:
    listed = meta.get(f"{ACCOUNT}/message_templates?name=order_update&language=pt_BR").json
    template_id = listed["data"][0]["id"]
    meta.graph("DELETE", f"{ACCOUNT}/message_templates?hsm_id={template_id}&name=order_update")
    assert names(meta, "name=order_update") == ["order_update"]


def test_deleting_what_is_not_there_is_an_unsupported_request(meta: Emulator) -> None:
    answer = meta.graph("DELETE", f"{ACCOUNT}/message_templates?name=no_such")
    assert error(answer)["error_subcode"] == 33


def test_a_paused_template_is_unpaused(meta: Emulator) -> None:
    template_id = meta.get(f"{ACCOUNT}/message_templates?name=paused_offer").json["data"][0]["id"]
    assert meta.post(f"{template_id}/unpause").json == {"success": True}
    assert meta.post(f"{template_id}/unpause").json["success"] is False


def test_a_template_that_is_not_approved_blocks_sending_in_its_health(meta: Emulator) -> None:
    template_id = meta.get(f"{ACCOUNT}/message_templates?name=paused_offer").json["data"][0]["id"]
    health = meta.get(f"{template_id}?fields=health_status").json["health_status"]
    assert health["can_send_message"] == "BLOCKED"
    assert health["entities"][0]["errors"][0]["error_code"] == 141002
