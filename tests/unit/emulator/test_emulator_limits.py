"""Meta's limits: throughput, pair and daily, counted per number and customer, each switched by name."""

from __future__ import annotations

import pytest

from meta_emulator.clock import Clock
from meta_emulator.limits import Limits
from tests.unit.emulator.emulated import ANA, NUMBER, OTHER_NUMBER, Emulator, error


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def limits(watch: Watch) -> Limits:
    return Limits(Clock(watch), daily=2)


def test_no_more_than_the_allowance_passes_in_a_second(limits: Limits) -> None:
    assert [limits.take_throughput(NUMBER, 80) for _ in range(81)].count(True) == 80


def test_a_second_later_it_passes_again(limits: Limits, watch: Watch) -> None:
    for _ in range(80):
        limits.take_throughput(NUMBER, 80)
    watch.time += 1.0
    assert limits.take_throughput(NUMBER, 80)


def test_what_customers_write_counts_as_well(limits: Limits) -> None:
    for _ in range(30):
        limits.received(NUMBER)
    assert [limits.take_throughput(NUMBER, 80) for _ in range(80)].count(True) == 50


def test_each_number_has_an_allowance_of_its_own(limits: Limits) -> None:
    for _ in range(80):
        limits.take_throughput(NUMBER, 80)
    assert limits.take_throughput(OTHER_NUMBER, 80)


def test_a_pair_may_burst_45_messages(limits: Limits) -> None:
    assert [limits.take_pair(NUMBER, ANA) for _ in range(50)].count(True) == 45


def test_a_pair_gains_one_message_every_six_seconds(limits: Limits, watch: Watch) -> None:
    for _ in range(45):
        limits.take_pair(NUMBER, ANA)
    watch.time += 5.9
    early = limits.take_pair(NUMBER, ANA)
    watch.time += 0.1
    assert (early, limits.take_pair(NUMBER, ANA), limits.take_pair(NUMBER, ANA)) == (False, True, False)


def test_a_burst_of_twenty_needs_two_minutes_of_silence(limits: Limits, watch: Watch) -> None:
    for _ in range(45):
        limits.take_pair(NUMBER, ANA)
    watch.time += 120
    assert [limits.take_pair(NUMBER, ANA) for _ in range(25)].count(True) == 20


def test_a_customer_is_counted_once_a_day(limits: Limits) -> None:
    assert [limits.take_daily(wa_id) for wa_id in ("1", "2", "1", "3")] == [True, True, True, False]


def test_a_day_later_customers_count_anew(limits: Limits, watch: Watch) -> None:
    for wa_id in ("1", "2"):
        limits.take_daily(wa_id)
    watch.time += 86400
    assert limits.take_daily("3")


def test_over_the_throughput_is_130429(meta: Emulator) -> None:
    meta.control("PATCH", f"numbers/{NUMBER}", {"messages_per_second": 3})
    answers = [meta.text() for _ in range(4)]  # Ana's message counts, too
    assert error(answers[-1])["code"] == 130429
    assert answers[-1].status_code == 400


def test_over_the_pair_limit_is_131056(meta: Emulator) -> None:
    meta.do("limits", {"pair": True, "throughput": False})
    answers = [meta.text() for _ in range(46)]
    assert [answer.status_code for answer in answers[:45]] == [200] * 45
    assert error(answers[45])["code"] == 131056


@pytest.mark.parametrize(
    ("daily", "tier"),
    [
        (0, "TIER_UNLIMITED"),
        (1, "TIER_50"),
        (50, "TIER_50"),
        (250, "TIER_250"),
        (1000, "TIER_1K"),
        (2000, "TIER_2K"),
        (10_000, "TIER_10K"),
        (99_999, "TIER_10K"),
        (100_000, "TIER_100K"),
    ],
)
def test_the_number_names_the_tier_of_the_quota(fresh: Emulator, daily: int, tier: str) -> None:
    fresh.do("limits", {"daily": daily})
    fields = ("messaging_limit_tier", "whatsapp_business_manager_messaging_limit")
    found = fresh.get(f"{NUMBER}?fields={','.join(fields)}").json
    assert [found[name] for name in fields] == [tier, tier]


def test_over_the_daily_limit_templates_fail_with_131048(fresh: Emulator) -> None:
    fresh.do("limits", {"daily": 1})
    template = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
    fresh.sent(template, to="447700900001")
    fresh.sent(template, to="447700900002")
    assert fresh.last("447700900001")["status"] == "delivered"
    assert fresh.last("447700900002")["errors"][0]["code"] == 131048


def test_a_template_inside_the_window_is_not_counted(fresh: Emulator) -> None:
    fresh.do("limits", {"daily": 1})
    fresh.write()
    template = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
    fresh.sent(template)
    fresh.sent(template, to="447700900002")
    assert fresh.last("447700900002")["status"] == "delivered"


def test_all_limits_go_off_at_once(meta: Emulator) -> None:
    meta.do("limits", {"all": False})
    assert {meta.text(to="447700900777").status_code for _ in range(100)} == {200}
    assert meta.last("447700900777")["status"] == "delivered"


def test_an_unknown_limit_is_named(meta: Emulator) -> None:
    answer = meta.control("POST", "limits", {"speed": True})
    assert answer.status_code == 400
    assert "unknown property: speed" in answer.json["error"]
