"""The costs of messages: counted once each, grouped, priced, compared with Meta."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.keys import PREFIX
from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import NUMBER, delivery, value_of
from wa_service.service.costs import CostService, charged_volume
from wa_service.service.rate_card import RateCard, RateCardError
from wa_service.service.wiring import cost_service
from wa_service.store.costs import Costs, today
from wa_service.whatsapp.errors import WhatsAppConnectionError

CARD = "country,category,price,currency\nGB,marketing,0.05,EUR\n*,marketing,0.10,EUR\n*,*,0.01,EUR\n"
PRICED = {"billable": True, "pricing_model": "PMP", "category": "marketing", "type": "regular"}


def status(
    web: Web,
    grant_id: str,
    word: str,
    pricing: Any = PRICED,
    *,
    at: int | None = None,
    wamid: str = "wamid.HBgLACCEPTED",
) -> None:
    told = {
        "id": wamid,
        "status": word,
        "timestamp": str(at or int(time.time())),
        "recipient_id": "447700900123",
        "biz_opaque_callback_data": grant_id,
    }
    told |= {"pricing": pricing} if pricing else {}
    assert web.webhook(delivery(value_of(NUMBER, statuses=[told]))).status_code == 200


def sent(web: Web, **body: Any) -> str:
    web.send({"to": "447700900123", "text": "hello", **body}, Prefer="respond-async")
    return web.accept().id


def costs(web: Web, by: str = "category") -> Any:
    answer = web.get(f"/v1/costs?by={by}")
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start, tmp_path_factory: pytest.TempPathFactory) -> Web:
    card = tmp_path_factory.mktemp("rates") / "rates.csv"
    card.write_text(CARD, encoding="utf-8")
    return start_for_the_file({"WA_RATE_CARD": str(card)})


def test_a_message_is_counted_once_when_it_is_delivered(web: Web) -> None:
    name = sent(web, tag="spring")
    status(web, name, "sent")
    assert costs(web)["total"]["messages"] == 0
    for word in ("delivered", "delivered", "read"):
        status(web, name, word)
    told = costs(web, "category,country,number,tag")
    assert told["items"] == [
        {
            "group": {"category": "marketing", "country": "GB", "number": NUMBER, "tag": "spring"},
            "messages": 1,
            "billable": 1,
            "amount": "0.05",
        }
    ]
    assert told["currency"] == "EUR"
    metrics = web.client.get("/metrics").text
    assert 'whatsapp_billable_total{category="marketing",type="regular"}' in metrics


def test_what_was_free_is_told_and_costs_nothing(web: Web) -> None:
    name = sent(web)
    status(web, name, "read", PRICED | {"billable": False, "category": "service", "type": "free_customer_service"})
    assert costs(web, "type")["items"] == [
        {"group": {"type": "free_customer_service"}, "messages": 1, "billable": 0, "amount": "0"}
    ]


def test_the_price_that_came_with_sent_counts_where_delivered_brings_none(web: Web) -> None:
    name = sent(web)
    status(web, name, "sent")
    status(web, name, "delivered", None)
    assert costs(web)["total"]["billable"] == 1


def test_a_message_to_a_group_is_charged_for_each_participant_in_their_country(web: Web) -> None:
    group = "Y2FwaV9ncm91cDoxNTU1OjEyMDM2"
    told: dict[str, Any] = {"id": "wamid.HBgLACCEPTED", "recipient_id": group, "recipient_type": "group"}
    told |= {"timestamp": str(int(time.time())), "pricing": PRICED | {"category": "group_marketing"}}
    web.send({"to": group, "recipient_type": "group", "text": "hello"}, Prefer="respond-async")
    told["biz_opaque_callback_data"] = web.accept().id
    ana, ben = {"recipient_participant_id": "447700900123"}, {"recipient_participant_user_id": "DE.1349120865530274"}
    for who, word in ((ana, "delivered"), (ben, "read"), (ana, "delivered"), (ana, "read"), (ben, "delivered")):
        status = told | who | {"status": word}
        assert web.webhook(delivery(value_of(NUMBER, statuses=[status]))).status_code == 200

    lines = [(each["group"], each["messages"]) for each in costs(web, "category,country")["items"]]
    assert lines == [({"category": "group_marketing", "country": where}, 1) for where in ("DE", "GB")]
    (sent_to,) = web.get(f"/v1/messages/{told['biz_opaque_callback_data']}").json["participants"][:1]
    assert [each["status"] for each in sent_to["status_history"]] == ["delivered", "read"]


@pytest.mark.parametrize(
    ("pricing", "kind", "billable"),
    [
        ({"category": "utility", "billable": True}, "regular", 1),
        ({"category": "utility", "billable": "true"}, "regular", 1),
        ({"category": "utility", "billable": False}, "free", 0),
        ({"category": "utility"}, "free", 0),
        ({"category": "marketing_lite", "type": "regular"}, "regular", 1),
        ({"category": "AUTHENTICATION_INTERNATIONAL", "type": "REGULAR"}, "regular", 1),
        ({"category": "authentication-international", "type": "regular"}, "regular", 1),
        ({"category": "referral_conversion", "type": "free_entry_point"}, "free_entry_point", 0),
        ({"category": "service", "type": "free_customer_service", "billable": False}, "free_customer_service", 0),
    ],
)
def test_every_form_of_a_price_is_counted(web: Web, pricing: Any, kind: str, billable: int) -> None:
    status(web, sent(web), "delivered", pricing)
    (line,) = costs(web, "category,type")["items"]
    assert line["group"] == {"category": pricing["category"].lower().replace("-", "_"), "type": kind}
    assert (line["messages"], line["billable"]) == (1, billable)


def test_days_are_those_of_delivery_and_months_add_up(web: Web) -> None:
    """Deliveries a minute before, at and after midnight UTC at a month's end."""
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    for seconds, tag in ((-60, "before"), (0, "at"), (60, "after")):
        name = sent(web, tag=tag)
        status(web, name, "delivered", at=int(midnight.timestamp()) + seconds, wamid=f"wamid.{tag}")

    def counted(begin: str, end: str) -> list[str]:
        answer = web.get(f"/v1/costs?from={begin}&to={end}&by=tag").json
        assert answer["total"]["messages"] == len(answer["items"])
        return sorted(item["group"]["tag"] for item in answer["items"])

    assert counted("2026-02-01", "2026-02-28") == ["before"]
    assert counted("2026-03-01", "2026-03-31") == ["after", "at"]
    assert counted("2026-02-28", "2026-03-01") == ["after", "at", "before"]


def test_a_batch_knows_what_it_cost(web: Web) -> None:
    body = {"message": {"text": "hello"}, "items": [{"to": "447700900123"}]}
    batch = web.post("/v1/batches", json=body).json["id"]
    web.runtime.batches.feed(NUMBER, {})
    status(web, web.accept().id, "delivered")
    expected = {"group": {}, "messages": 1, "billable": 1, "amount": "0.05"}
    assert web.get(f"/v1/batches/{batch}").json["cost"] == expected
    assert costs(web, "batch")["items"][0]["group"] == {"batch": batch}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=colour", "by"),
        ("from=2026-13-01", "from"),
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("from=2020-01-01&to=2026-02-01", "from"),
        ("from=9999-01-01", "from"),
        ("from=0001-01-01&to=9999-12-31", "from"),
        ("of=x", "of"),
    ],
)
def test_a_wrong_question_is_refused(web: Web, query: str, field: str) -> None:
    refused = web.get(f"/v1/costs?{query}")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, field)


def test_a_rate_card_prices_by_country_then_any(tmp_path: Path) -> None:
    card = tmp_path / "rates.csv"
    card.write_text(CARD, encoding="utf-8")
    read = RateCard.read(card)
    assert read.price("GB", "MARKETING") == Decimal("0.05")
    assert read.price("DE", "marketing") == Decimal("0.10")
    assert read.price("DE", "utility") == Decimal("0.01")


@pytest.mark.parametrize("written", ["authentication_international", "authentication-international"])
@pytest.mark.parametrize("reported", ["authentication_international", "authentication-international"])
def test_a_category_has_its_price_however_it_is_written(tmp_path: Path, written: str, reported: str) -> None:
    card = tmp_path / "rates.csv"
    card.write_text(f"country,category,price\nIN,{written},0.02\n*,*,0.01\n", encoding="utf-8")
    assert RateCard.read(card).price("IN", reported) == Decimal("0.02")


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "country,category,price\nGB,x,-1\n",
        "country,category,price,currency\nGB,x,1,EUR\nDE,x,1,USD\n",
        "country,category,price,since\nGB,x,1,2026-10-01\ngb,X,2,2026-11-01\n",
    ],
)
def test_a_rate_card_that_means_nothing_is_refused(tmp_path: Path, text: str) -> None:
    card = tmp_path / "rates.csv"
    card.write_text(text, encoding="utf-8")
    with pytest.raises(RateCardError):
        RateCard.read(card)


def test_a_rate_card_may_have_a_line_twice(tmp_path: Path) -> None:
    card = tmp_path / "rates.csv"
    card.write_text("country,category,price\nGB,marketing,0.05\ngb,marketing,0.050\n", encoding="utf-8")
    assert RateCard.read(card).price("GB", "marketing") == Decimal("0.05")


@pytest.mark.parametrize(("theirs", "agrees"), [(1_000, True), (1_009, True), (1_020, False), (0, False)])
def test_a_settled_day_is_compared_once(web: Web, lines: list[dict[str, Any]], theirs: int, agrees: bool) -> None:
    day = today() - timedelta(days=2)
    key = web.runtime.store.keys.of("costs", str((day - date(1970, 1, 1)).days))
    web.runtime.store.do("HSET", key, f"marketing\tregular\tGB\t{NUMBER}\t\t", 1_000)
    web.runtime.store.do("HSET", key, f"service\tfree_customer_service\tGB\t{NUMBER}\t\t", 500)
    asked = []
    service = CostService(Costs(web.runtime.store), None, lambda *moments: asked.append(moments) or theirs)  # type: ignore[func-returns-value]  # append returns None
    assert service.compare() is agrees
    assert service.compare() is None
    assert len(asked) == 1
    warned = [line for line in lines if line["event"] == "whatsapp.costs.differ"]
    assert [(line["day"], line["ours"], line["metas"]) for line in warned] == (
        [] if agrees else [(day.isoformat(), 1_000, theirs)]
    )


def test_a_day_is_compared_again_where_meta_did_not_answer(web: Web) -> None:
    calls = []

    def meta(*moments: int) -> int:
        calls.append(moments)
        if len(calls) == 1:
            raise WhatsAppConnectionError("away")
        return 0

    service = CostService(Costs(web.runtime.store), None, meta)
    with pytest.raises(WhatsAppConnectionError):
        service.compare()
    (claim,) = web.runtime.store.client.scan_iter(f"{PREFIX}costs_compared:*")
    assert 0 < web.runtime.store.client.ttl(claim) <= 3_600
    web.runtime.store.client.delete(claim)

    assert service.compare() is True
    assert service.compare() is None
    assert web.runtime.store.client.ttl(claim) > 86_400


def test_only_what_meta_charged_for_is_summed() -> None:
    points = [
        {"volume": 7, "pricing_type": "REGULAR"},
        {"volume": 5, "pricing_type": "FREE_CUSTOMER_SERVICE"},
        {"volume": 2, "pricing_type": "regular"},
    ]
    assert charged_volume({"pricing_analytics": {"data": [{"data_points": points}]}}) == 9
    assert charged_volume({}) == 0


def test_a_rate_card_that_cannot_be_read_leaves_costs_without_prices(
    start_web: Start, lines: list[dict[str, Any]]
) -> None:
    web = start_web({"WA_RATE_CARD": "/nowhere/rates.csv"})
    assert cost_service(web.runtime).rate_card is None
    assert "whatsapp.costs.rate_card_unusable" in [line["event"] for line in lines]
