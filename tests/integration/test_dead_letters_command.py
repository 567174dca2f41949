"""`python -m wa_service dead-letters` on existing dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.commands import Completed, run_command
from tests.integration.lanes import NUMBER, Lanes, message
from tests.keys import NAMES, PREFIX
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.inbox import MAILBOX_CEILING
from wa_service.whatsapp.webhooks.events import walk

Command = Callable[..., Completed]


@pytest.fixture
def wa(valkey_url: str, tmp_path: Path, lanes: Lanes) -> Command:
    environment = {
        "WA_ENV_FILE": "/dev/null",
        "WA_VAR_DIR": str(tmp_path),
        "REDIS_URL": valkey_url,
        "WHATSAPP_ACCESS_TOKEN": "token",
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_VERIFY_TOKEN": "shake",
        "WHATSAPP_APP_SECRET": "pepper",
    }

    def run(*arguments: str) -> Completed:
        return run_command("dead-letters", *arguments, environment=environment)

    return run


def bury(lanes: Lanes, count: int) -> list[str]:
    """Let the handlers of `count` customers' messages fail; return the customers."""
    customers = [f"155512300{i:02}" for i in range(count)]
    lanes.admit(*(message(customer) for customer in customers))
    for work in lanes.inbox.take("p", 0, count)[1]:
        lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
    return customers


@pytest.fixture
def letter(lanes: Lanes) -> str:
    """Let a message's handler fail; return the dead letter's id."""
    lanes.admit(message(text="poison"))
    _, (work,) = lanes.inbox.take("p", 0, 1)
    lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
    return DeadLetters(lanes.store, retention_seconds=60).ids()[0]


def test_a_letter_is_listed_without_who_wrote(wa: Command, letter: str) -> None:
    told = wa("list").stdout
    assert letter in told
    assert "ValueError" in told
    assert "15551230001" not in told


def test_a_letter_that_nobody_can_read_is_shown_as_it_is(wa: Command, letter: str, lanes: Lanes) -> None:
    lanes.store.do("HSET", f"{PREFIX}dead_letter:{letter}", "event", "not JSON")
    assert json.loads(wa("show", letter).stdout)["event"] == "not JSON"
    assert "form is unknown" in wa("replay", letter).stdout


def test_one_letter_is_shown_whole(wa: Command, letter: str) -> None:
    shown = json.loads(wa("show", letter).stdout)
    assert (shown["kind"], shown["event"]["m"]["text"]["body"]) == ("failed", "poison")


def test_an_unknown_letter_is_one_sentence(wa: Command) -> None:
    told = wa("show", "00")
    assert (told.returncode, told.stderr) == (1, "There is no dead letter 00.\n")


def test_a_replayed_letter_waits_to_be_handled(wa: Command, letter: str, lanes: Lanes) -> None:
    assert wa("replay", letter).stdout == "1 of 1 dead letters will be handled again.\n"
    _, (work,) = lanes.inbox.take("q", 0, 1)
    assert work.stored.piece.raw["text"]["body"] == "poison"


def test_a_letter_that_can_still_not_be_read_stays_with_its_reason(wa: Command, lanes: Lanes) -> None:
    letters = DeadLetters(lanes.store, retention_seconds=60)
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [{"id": 5}]}
    delivery = {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    (torn,) = walk(delivery)
    assert torn.kind == "malformed"
    lanes.store.run([letters.add(torn, 1)])
    told = wa("replay", "--all")
    assert told.returncode == 1
    assert "0 of 1 dead letters" in told.stdout
    assert " was not replayed: " in told.stdout
    assert len(letters.ids()) == 1


def test_a_letter_that_can_be_read_today_is_handled_and_says_nothing_of_webhooks(wa: Command, lanes: Lanes) -> None:
    letters = DeadLetters(lanes.store, retention_seconds=60)
    readable = replace(message(text="read anew"), kind="malformed", reason="an older version could not read it")
    lanes.store.run([letters.add(readable, 1)])
    assert wa("replay", "--all").stdout == "1 of 1 dead letters will be handled again.\n"
    _, (work,) = lanes.inbox.take("q", 0, 1)
    assert work.stored.piece.raw["text"]["body"] == "read anew"
    assert lanes.store.do("EXISTS", NAMES.webhook_rejected_at) == 0


def test_many_letters_are_replayed_at_once(wa: Command, lanes: Lanes) -> None:
    customers = bury(lanes, 30)
    assert wa("replay", "--all").stdout == "30 of 30 dead letters will be handled again.\n"
    _, works = lanes.inbox.take("q", 0, 50)
    assert {work.conversation for work in works} == {f"{NUMBER}:{customer}" for customer in customers}
    assert DeadLetters(lanes.store, retention_seconds=60).ids() == []


def test_many_letters_are_dropped_at_once(wa: Command, lanes: Lanes) -> None:
    bury(lanes, 30)
    assert wa("drop", "--all").stdout == "30 of 30 dead letters were dropped.\n"
    assert lanes.store.do("KEYS", f"{PREFIX}dead*") == []
    assert lanes.inbox.take("q", 0, 50)[1] == []


def test_a_replay_of_all_goes_on_where_one_mailbox_is_full(wa: Command, letter: str, lanes: Lanes) -> None:
    flooded = "15559870002"
    lanes.admit(*(message(flooded) for _ in range(MAILBOX_CEILING + 2)))
    told = wa("replay", "--all")
    assert told.returncode == 1
    assert told.stdout.startswith("1 of 3 dead letters will be handled again.\nNot now: ")
    assert told.stdout.endswith("(2 letters)\n")


def test_a_dropped_letter_is_gone(wa: Command, letter: str, lanes: Lanes) -> None:
    assert wa("drop", letter).stdout == "1 of 1 dead letters were dropped.\n"
    assert DeadLetters(lanes.store, retention_seconds=60).ids() == []
