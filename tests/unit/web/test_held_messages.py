"""How the API shows a message whose template Meta paused."""

from __future__ import annotations

import time
from typing import Any

from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, OTHER_NUMBER, WABA, delivery
from wa_service.store.schedule import Schedule

SPRING = {"to": CUSTOMER, "template": {"name": "spring", "language": "en_US"}}


class Account:
    """A business account whose template is approved."""

    phone_number_id = NUMBER

    def list_templates(self) -> list[dict[str, Any]]:
        return [{"name": "spring", "language": "en_US", "category": "UTILITY", "status": "APPROVED", "components": []}]


def tell(web: Web, event: str, **more: Any) -> None:
    """Deliver Meta's event about the template."""
    value = {"event": event, "message_template_name": "spring", "message_template_language": "en-US", **more}
    change = {"field": "message_template_status_update", "value": value}
    entry = {"id": WABA, "time": int(time.time()), "changes": [change]}
    assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200


def held(web: Web) -> str:
    """Send a message, which is held, and return its id."""
    answer = web.send(SPRING)
    assert answer.status_code == 202, answer.text
    assert web.runtime.outbox.next(web.runtime.numbers[0], "holder", time.monotonic_ns(), 8).grants == []
    return str(answer.json["id"])


def test_a_message_of_a_paused_template_waits_and_says_why(web: Web) -> None:
    tell(web, "PAUSED", other_info={"title": "SECOND_PAUSE"})
    shown = web.get(f"/v1/messages/{held(web)}").json
    assert shown["status"] == "scheduled"
    assert shown["held"]["reason"] == "template_paused"
    assert shown["send_at"] is None
    since, until = (
        time.mktime(time.strptime(shown["held"][name][:19], "%Y-%m-%dT%H:%M:%S")) for name in ("since", "until")
    )
    assert 5.9 * 3600 < until - since <= 6 * 3600


def test_it_leaves_when_meta_says_that_the_template_is_back(web: Web) -> None:
    tell(web, "PAUSED")
    message = held(web)
    tell(web, "APPROVED", other_info={"title": "UNPAUSE"})
    assert Schedule(web.runtime.outbox).move_due(web.runtime.numbers[0], 8).moved == 1
    web.accept("wamid.HBgLHELD")
    shown = web.get(f"/v1/messages/{message}").json
    assert (shown["status"], shown["held"]) == ("accepted", None)


def test_a_list_that_was_cached_before_the_pause_releases_nothing(start_web: Start) -> None:
    account = Account()
    web = start_web(clients=dict.fromkeys((NUMBER, OTHER_NUMBER), account))
    assert web.get("/v1/templates").json["items"] == account.list_templates()
    tell(web, "PAUSED")
    message = held(web)

    web.get("/v1/templates")

    assert Schedule(web.runtime.outbox).move_due(web.runtime.numbers[0], 8).moved == 0
    assert web.get(f"/v1/messages/{message}").json["held"]["reason"] == "template_paused"


def test_of_a_disabled_template_meta_has_the_last_word(web: Web) -> None:
    tell(web, "PAUSED")
    held(web)
    tell(web, "DISABLED")
    assert Schedule(web.runtime.outbox).move_due(web.runtime.numbers[0], 8).moved == 1
    assert len(web.runtime.outbox.next(web.runtime.numbers[0], "holder", time.monotonic_ns(), 8).grants) == 1


def test_another_account_s_template_holds_nothing(web: Web) -> None:
    value = {"event": "PAUSED", "message_template_name": "spring", "message_template_language": "en_US"}
    change = {"field": "message_template_status_update", "value": value}
    entry = {"id": "300000000000001", "time": int(time.time()), "changes": [change]}
    assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    assert web.send(SPRING).status_code == 202
    assert len(web.runtime.outbox.next(web.runtime.numbers[0], "holder", 1, 8).grants) == 1


def test_a_pause_that_is_over_holds_nothing_when_its_event_comes_late(web: Web) -> None:
    value = {"event": "PAUSED", "message_template_name": "spring", "message_template_language": "en_US"}
    late = delivery(value, field="message_template_status_update", at=int(time.time()) - 5 * 3600)
    assert web.webhook(late).status_code == 200
    web.send(SPRING)
    assert len(web.runtime.outbox.next(web.runtime.numbers[0], "holder", time.monotonic_ns(), 8).grants) == 1


def test_a_pause_that_comes_again_after_its_end_holds_nothing(web: Web) -> None:
    value = {"message_template_name": "spring", "message_template_language": "en_US"}
    now = int(time.time())
    for event, at in (("PAUSED", now - 600), ("APPROVED", now - 300), ("PAUSED", now - 600)):
        told = delivery(value | {"event": event}, field="message_template_status_update", at=at)
        assert web.webhook(told).status_code == 200
    web.send(SPRING)
    assert len(web.runtime.outbox.next(web.runtime.numbers[0], "holder", time.monotonic_ns(), 8).grants) == 1


def test_a_pause_from_the_future_does_not_outlast_its_end(web: Web) -> None:
    value = {"message_template_name": "spring", "message_template_language": "en_US"}
    now = int(time.time())
    for event, at in (("PAUSED", now + 86_400), ("APPROVED", now + 3_600)):
        told = delivery(value | {"event": event}, field="message_template_status_update", at=at)
        assert web.webhook(told).status_code == 200
    web.send(SPRING)
    assert len(web.runtime.outbox.next(web.runtime.numbers[0], "holder", time.monotonic_ns(), 8).grants) == 1
