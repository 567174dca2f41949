"""Recordings: without personal data, and replayed against a service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from meta_emulator import EmulatorConfig, RunningEmulator
from meta_emulator.anonymizer import Anonymizer
from meta_emulator.cli import main
from meta_emulator.client import EmulatedMeta
from meta_emulator.recording import replay_session
from tests.integration.emulated_callback import VERIFY_TOKEN, Callback
from tests.integration.emulated_meta import ACCOUNT, ANA, NUMBER, SECRET, TOKEN, Meta


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as running:
        yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator(EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), port=0)) as running:
        yield running


@pytest.fixture
def meta(emulator: RunningEmulator, callback: Callback) -> Meta:
    running = Meta(emulator.url)
    running.do("reset", {"callback_url": callback.url})
    return running


def client(meta: Meta) -> EmulatedMeta:
    return EmulatedMeta(
        meta.url, access_token=TOKEN, app_secret=SECRET, phone_number_ids=(NUMBER,), business_account_id=ACCOUNT
    )


def recorded(meta: Meta, query: str = "") -> dict[str, Any]:
    meta.settle()
    found: dict[str, Any] = meta.do(f"recording{query}", method="GET")
    return found


def conversation(meta: Meta) -> str:
    meta.do("phones", {"wa_id": ANA, "name": "Ana Lima"})
    wamid = meta.write("My PIN is 4711, call 07700 900123!")
    meta.send(text={"body": "Thank you, Ana"})
    return wamid


def test_a_recording_has_the_steps_and_no_personal_details(meta: Meta) -> None:
    wamid = conversation(meta)
    found = recorded(meta)
    kinds = ["webhook" if "webhook" in step else "call" for step in found["steps"]]
    assert sorted(kinds) == ["call", "webhook", "webhook", "webhook"]
    text = json.dumps(found)
    user_id = meta.do(f"phones/{ANA}", method="GET")["user_id"]
    for detail in (ANA, "Ana", "Lima", "PIN", "4711", "900123", wamid, user_id, NUMBER, ACCOUNT, TOKEN):
        assert detail not in text
    assert "Xx XXX xx 0000, xxxx 00000 000000!" in text
    call = next(step["call"] for step in found["steps"] if "call" in step)
    assert (call["method"], call["path"], call["status"]) == ("POST", "/v24.0/{number}/messages", 200)


def test_texts_may_stay_but_not_the_numbers_in_them(meta: Meta) -> None:
    conversation(meta)
    text = json.dumps(recorded(meta, "?texts=1"))
    assert "My PIN is 4711, call 0000000!" in text


@pytest.mark.parametrize(
    "number",
    [
        "07700 900123",
        "(+44) 7700-900123",
        "447.700.900.123",
        "07700/900123",
        "07700\u2011900123",
        "07700\u00a0900 123",
        "٠٧٧٠٠٩٠٠١٢٣",
        "0770 (0) - 900123",
        "900 123",
    ],
)
def test_a_number_in_a_kept_text_is_replaced_however_it_is_written(number: str) -> None:
    text = Anonymizer(keep_texts=True).replace({"body": f"call {number} at 10:30, table 4711"})["body"]
    assert text.endswith("0000000 at 10:30, table 4711")
    assert not {"900", "٩٠٠", "123"} & {text[place : place + 3] for place in range(len(text))}


def test_the_same_customer_is_the_same_in_every_step(meta: Meta) -> None:
    conversation(meta)
    meta.write("again")
    steps = [step["webhook"] for step in recorded(meta)["steps"] if "webhook" in step]
    values = [step["entry"][0]["changes"][0]["value"] for step in steps]
    senders = {message["from"] for value in values for message in value.get("messages", ())}
    recipients = {status["recipient_id"] for value in values for status in value.get("statuses", ())}
    assert senders == recipients
    assert len(senders) == 1


def test_a_recording_is_played_again_with_new_times_and_ids(meta: Meta, callback: Callback) -> None:
    conversation(meta)
    found = recorded(meta)
    meta.do("reset", {"callback_url": callback.url})
    callback.deliveries.clear()
    report = replay_session(found, client(meta), at_once=True)
    assert report["webhooks"] == [200]
    assert [item["text"]["body"] for item in callback.parts("messages")] == ["Xx XXX xx 0000, xxxx 00000 000000!"]
    value = callback.deliveries[0].payload["entry"][0]["changes"][0]["value"]
    assert value["metadata"]["phone_number_id"] == NUMBER
    now = meta.do("clock", method="GET")["now"]
    assert abs(int(value["messages"][0]["timestamp"]) - now) < 60
    # This callback sends no answers, unlike the recorded service.
    assert (report["sends"], report["same"]) == ([], False)
    assert report["recorded_sends"][0]["type"] == "text"


def test_an_answer_to_a_user_id_is_compared_too(meta: Meta) -> None:
    user_id = meta.do(f"phones/{ANA}", method="GET")["user_id"]
    call = {"path": "/v24.0/{number}/messages", "body": {"recipient": user_id, "type": "text"}}
    control = {"path": "/v24.0/{number}/thread_control", "body": {"to": ANA, "action": "take"}}
    steps = [{"at": 0.0, "call": control}, {"at": 0.0, "call": call}]
    report = replay_session({"version": 1, "steps": steps}, client(meta), at_once=True)
    assert (report["recorded_sends"], report["same"]) == ([{"to": user_id, "type": "text"}], False)


def test_other_input_than_steps_is_a_sentence(tmp_path: Path) -> None:
    for given in ("", "[]", '{"numbers": {}}', '{"numbers": {}, "account_id": "", "steps": [1]}'):
        run = CliRunner().invoke(main, ["anonymize", str(tmp_path / "new.yaml")], input=given)
        assert (run.exit_code, "Standard input is not JSON of this form." in run.output) == (1, True), given
    assert not (tmp_path / "new.yaml").exists()


@pytest.mark.parametrize("webhook", [{"entry": [1]}, {"entry": 1}, {"entry": [{"changes": [{"value": None}]}]}])
def test_a_webhook_of_another_shape_is_posted_again_as_it_was(
    meta: Meta, callback: Callback, webhook: dict[str, Any]
) -> None:
    callback.deliveries.clear()
    report = replay_session({"version": 1, "steps": [{"at": 0.0, "webhook": webhook}]}, client(meta), at_once=True)
    assert (report["webhooks"], [each.payload for each in callback.deliveries]) == ([200], [webhook])


def test_pauses_are_kept_unless_at_once(meta: Meta) -> None:
    waits: list[float] = []
    webhook = {"object": "whatsapp_business_account", "entry": []}
    steps = [{"at": 0.0, "webhook": webhook}, {"at": 2.5, "webhook": webhook}]
    replay_session({"version": 1, "steps": steps}, client(meta), sleep=waits.append)
    assert waits[1] == pytest.approx(2.5, abs=1)


def test_another_version_is_refused(meta: Meta) -> None:
    with pytest.raises(ValueError, match="of version 9, not 1"):
        replay_session({"version": 9, "steps": []}, client(meta))


def test_the_command_writes_yaml(meta: Meta, tmp_path: Path) -> None:
    conversation(meta)
    meta.settle()
    run = CliRunner().invoke(main, ["record", "--url", meta.url, str(tmp_path / "session.yaml")])
    assert (run.exit_code, run.output) == (0, "4 steps, 0 skipped.\n")
    assert yaml.safe_load((tmp_path / "session.yaml").read_text(encoding="utf-8"))["version"] == 1


def test_a_recipient_by_user_id_is_the_same_everywhere() -> None:
    sent, answered, inbound = Anonymizer().replace(
        [{"recipient": "GB.9"}, {"input": "GB.9", "user_id": "GB.9"}, {"from_user_id": "GB.9"}]
    )
    assert sent["recipient"] == answered["input"] == answered["user_id"] == inbound["from_user_id"] != "GB.9"


@pytest.mark.parametrize("name", ["identity_key_hash", "recipient_identity_key_hash"])
def test_an_identity_is_removed(name: str) -> None:
    assert Anonymizer().replace({name: "DF2l="}) == {name: "x"}


def test_a_number_as_json_number_is_replaced_like_its_text() -> None:
    changed = {"system": {"new_wa_id": 447700900456, "customer": "447700900123"}}
    system, message = Anonymizer().replace([changed, {"from": "447700900456"}])
    assert system["system"]["new_wa_id"] == int(message["from"]) != 447700900456


def test_a_number_on_a_contact_card_is_replaced_however_it_is_written() -> None:
    phones = [{"phone": each} for each in ("+44 7700 900123", "+44.7700.900123", "+447700900123 x0", "tel. 0901")]
    first, second, *others = (each["phone"] for each in Anonymizer().replace(phones))
    assert first == second
    assert not {each["phone"] for each in phones} & {first, second, *others}


def test_a_thread_of_the_history_does_not_name_its_customer() -> None:
    threads = [{"id": "447700900123", "messages": [{"from": "447700900123", "id": "wamid.H1"}]}]
    (thread,) = Anonymizer().replace({"history": [{"threads": threads}]})["history"][0]["threads"]
    assert thread["id"] == thread["messages"][0]["from"] != "447700900123"


def test_a_user_id_that_changed_is_replaced_on_both_sides() -> None:
    update = {"wa_id": "447700900123", "user_id": {"previous": "GB.1", "current": "GB.2"}}
    changed, message = Anonymizer().replace([update, {"from_user_id": "GB.2"}])
    assert changed["user_id"]["current"] == message["from_user_id"]
    assert not {"GB.1", "GB.2"} & set(changed["user_id"].values())


def test_nothing_of_a_contact_card_or_of_a_call_stays() -> None:
    home = {"street": "1 Hill Rd", "city": "Leeds", "zip": "LS1 4AP", "country": "UK", "type": "HOME"}
    card = {"birthday": "1990-05-01", "addresses": [home], "org": {"company": "Acme", "department": "Sales"}}
    call = {"session": {"sdp_type": "offer", "sdp": "o=- 1 1 IN IP4 192.0.2.7"}, "biz_opaque_callback_data": "Ana"}
    ad = {"source_url": "https://fb.example/ana", "image_url": "https://cdn.example/ana", "suffix": "Lady Ana"}
    text = json.dumps(Anonymizer(keep_texts=True).replace([card, call, ad, {"subject": "Family of Ana"}]))
    for detail in ("1990", "example", "Lady", "Hill", "Leeds", "LS1", "UK", "Acme", "Sales", "192.0.2.7", '"Ana"'):
        assert detail not in text
    assert '"HOME"' in text


def test_a_template_keeps_its_name_and_a_location_loses_its_place() -> None:
    replaced = Anonymizer().replace(
        {"template": {"name": "order_update"}, "location": {"latitude": 52.5, "longitude": 13.4, "name": "Home"}}
    )
    assert replaced == {
        "template": {"name": "order_update"},
        "location": {"latitude": 0.0, "longitude": 0.0, "name": "Name 1"},
    }
