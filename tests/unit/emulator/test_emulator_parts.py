"""The emulator's small parts: clock, timers, hub, addresses, settings, seed."""

from __future__ import annotations

import json
from pathlib import Path

import gevent
import pytest

from meta_emulator import EmulatorConfig, UnsafeBindError, addresses, seed
from meta_emulator.async_client import AsyncCustomerPhone, AsyncEmulatedMeta
from meta_emulator.client import CustomerPhone, EmulatedMeta
from meta_emulator.clock import Clock, Timers
from meta_emulator.event_hub import EventHub, WorldEvent
from meta_emulator.property_check import WrongPropertyError
from tests.unit.emulator.emulated import ACCOUNT, ANA, NUMBER, Emulator


def config(**more: object) -> EmulatorConfig:
    return EmulatorConfig("token", "secret", "verify", (NUMBER,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_the_emulator_binds_this_machine(host: str) -> None:
    assert config(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_the_emulator_refuses_to_be_reachable_from_outside(host: str) -> None:
    with pytest.raises(UnsafeBindError, match="unsafe=True"):
        config(host=host)


def test_unsafe_allows_any_address() -> None:
    assert config(host="0.0.0.0", unsafe=True).host == "0.0.0.0"


def test_secrets_do_not_show_in_the_settings_text() -> None:
    assert "secret" not in repr(config())
    assert "token" not in repr(config())


def test_an_emulator_needs_a_number() -> None:
    with pytest.raises(ValueError, match="phone number id"):
        EmulatorConfig("token", "secret", "verify", ())


def test_the_clock_only_moves_on() -> None:
    clock = Clock(lambda: 100.0)
    clock.advance(5)
    assert clock.now() == 105.0
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


def test_a_timer_runs_when_the_clock_reaches_it() -> None:
    clock = Clock(lambda: 100.0)
    timers, ran = Timers(clock), []
    timers.call_later(60, lambda: ran.append("late"))
    timers.call_later(30, lambda: ran.append("early"))
    clock.advance(30)
    timers.run_due()
    gevent.idle()
    assert (ran, len(timers)) == (["early"], 1)
    timers.stop()


def test_forgotten_timers_do_not_run() -> None:
    clock = Clock(lambda: 100.0)
    timers, ran = Timers(clock), []
    timers.call_later(1, lambda: ran.append("x"))
    timers.clear()
    clock.advance(5)
    timers.run_due()
    gevent.idle()
    assert ran == []
    timers.stop()


def taken(hub: EventHub, after: int, count: int) -> list[WorldEvent | None]:
    stream = hub.stream(after, 0.01)
    found = [next(stream) for _ in range(count)]
    stream.close()
    return found


def test_latecomers_get_what_is_kept() -> None:
    hub = EventHub(kept=10)
    published = [hub.publish("message", {"n": number}) for number in range(3)]
    assert taken(hub, 0, 3) == published


def test_a_stream_goes_on_after_the_last_id() -> None:
    hub = EventHub(kept=10)
    events = [hub.publish("message", {"n": number}) for number in range(3)]
    assert taken(hub, events[1].id, 1) == [events[2]]


def test_a_gap_in_the_history_is_a_reset() -> None:
    hub = EventHub(kept=2)
    for number in range(5):
        hub.publish("message", {"n": number})
    assert [event.kind for event in taken(hub, 1, 3) if event] == ["reset", "message", "message"]


def test_an_id_from_another_life_is_a_reset() -> None:
    assert [event.kind for event in taken(EventHub(kept=2), 99, 1) if event] == ["reset"]


def test_a_quiet_stream_says_so() -> None:
    assert taken(EventHub(kept=2), 0, 1) == [None]


def test_a_closed_stream_is_no_subscriber() -> None:
    hub = EventHub(kept=2)
    taken(hub, 0, 1)
    assert hub.subscribers == 0


def test_a_stream_that_nobody_reads_is_dropped() -> None:
    hub = EventHub(kept=2)
    stream = hub.stream(0, 0.01)
    next(stream)
    for number in range(10):
        hub.publish("message", {"n": number})
    assert hub.subscribers == 0
    stream.close()


@pytest.mark.parametrize(
    ("written", "digits"),
    [("+44 7700 900-123", ANA), ("(447700) 900123", ANA), ("44x7700", None), ("", None), ("1234", None)],
)
def test_punctuation_is_stripped_from_a_number(written: str, digits: str | None) -> None:
    assert addresses.digits(written) == digits


@pytest.mark.parametrize("number", ["551188887777", "5511988887777"])
def test_both_spellings_of_a_brazilian_line_are_known(number: str) -> None:
    assert {"551188887777", "5511988887777"} & set(addresses.spellings(number)) >= {"551188887777"}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("US.13491208655302741918", True), ("US.ENT.1181579", True), ("us.1", False), ("447700900123", False)],
)
def test_a_user_id_is_told_from_a_number(text: str, is_one: bool) -> None:
    assert addresses.is_bsuid(text) is is_one


SEED = """
phones:
  - {wa_id: "4915112345678", name: Eva, auto_read: true}
numbers:
  - {id: "777", messages_per_second: 20, test_recipients: ["+44 7700 900123"]}
templates:
  - name: note
    language: de
    category: UTILITY
    components: [{type: BODY, text: Hallo}]
limits: {pair: false}
behaviour: {webhook_version: v23.0}
"""


def test_a_seed_file_adds_to_the_world(tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(SEED)
    emulator = Emulator(seed_file=file)
    world = emulator.world
    assert world.phones["4915112345678"].auto_read is True
    assert world.numbers["777"].test_recipients == frozenset({ANA})
    assert world.find_template("note", "de") is not None
    assert (world.limits.settings.pair, world.behaviour.webhook_version) == (False, "v23.0")


def test_a_reset_comes_back_to_the_seed(tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(SEED)
    emulator = Emulator(seed_file=file)
    emulator.write()
    emulator.do("limits", {"pair": True})
    emulator.do("reset")
    assert (emulator.shown(), emulator.world.limits.settings.pair) == ([], False)


def test_a_seed_comes_over_http_too(fresh: Emulator) -> None:
    answer = fresh.control("POST", "seed", data=SEED.encode())
    assert answer.json["added"]["phones"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "phones: 5",
        "people: []",
        "- 1",
        "phones: [{wa_id: x}]",
        "phones: [{wa_id: '4477009001', colour: red}]",
        "numbers: [{id: abc}]",
        "templates: [{name: a}]",
        "a: [",
        "~",
        '{"phones": [{"wa_id": "447700900129", "name": "\\ud800"}]}',
    ],
)
def test_a_seed_that_makes_no_sense_is_refused(fresh: Emulator, text: str) -> None:
    with pytest.raises(WrongPropertyError):
        seed.apply(fresh.world, seed.parse(text))
    assert fresh.control("POST", "seed", data=text.encode()).status_code == 400


def test_an_escaped_emoji_in_a_seed_of_json_is_one_character(fresh: Emulator) -> None:
    fresh.control("POST", "seed", data=json.dumps({"phones": [{"wa_id": "447700900126", "name": "Ana 🎉"}]}).encode())
    assert fresh.control("GET", "phones/447700900126").json["name"] == "Ana 🎉"


def test_a_seed_tells_how_many_of_each_part_it_had(fresh: Emulator) -> None:
    added = fresh.control("POST", "seed", data=b"limits: {pair: false, daily: 5}\nphones: [{wa_id: 447700900127}]")
    assert {part: count for part, count in added.json["added"].items() if count} == {"limits": 2, "phones": 1}


def test_a_seed_applied_twice_changes_existing_objects(fresh: Emulator) -> None:
    before = len(fresh.world.templates)
    seed.apply_initial_seeds(fresh.world)
    assert len(fresh.world.templates) == before
    assert len(fresh.get(f"{ACCOUNT}/message_templates?limit=100").json["data"]) == before


@pytest.mark.parametrize(("other", "one"), [(AsyncCustomerPhone, CustomerPhone), (AsyncEmulatedMeta, EmulatedMeta)])
def test_the_client_for_asyncio_has_every_method_of_the_other(other: type, one: type) -> None:
    methods = {name for name, value in vars(one).items() if callable(value) and not name.startswith("_")}
    assert methods - vars(other).keys() == set()
