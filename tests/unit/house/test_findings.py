from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from wa_service.cli import findings
from wa_service.cli.send import _reason
from wa_service.config import settings
from wa_service.service import diagnosis
from wa_service.service.diagnosis import Finding
from wa_service.service.meta_facts import findings_or_error
from wa_service.store.overview import NumberState, Overview
from wa_service.store.replication_report import ReplicationReport, Sentinels, replicas_in
from wa_service.whatsapp.errors import WhatsAppAuthError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VALID = {"is_valid": True, "expires_at": 0, "scopes": ["whatsapp_business_messaging", "whatsapp_business_management"]}
REQUIRED = {
    "WHATSAPP_ACCESS_TOKEN": "t",
    "WHATSAPP_PHONE_NUMBER_ID": "1",
    "WHATSAPP_VERIFY_TOKEN": "v",
    "WHATSAPP_APP_SECRET": "0123456789abcdef0123456789abcdef",
}


def levels(found: Iterable[Finding]) -> dict[str, str]:
    return {finding.name: finding.level for finding in found}


def overview(**given: Any) -> Overview:
    depth = {"inbound": 0, "replies": 0, "bulk": 0, "sending": 0, "unknown": 0} | given.pop("depth", {})
    oldest = {"inbound": 0.0, "replies": 0.0, "bulk": 0.0} | given.pop("oldest_seconds", {})
    numbers = given.pop("numbers", {"1": NumberState(80, 80, 0.0, "", half_open=False)})
    return Overview(depth, oldest, numbers, 1000, 1000, **({"workers": 1} | given))


@pytest.mark.parametrize(
    ("report", "wanted", "sentence"),
    [
        (ReplicationReport(2, 2, 0, 1, keeps_files=True, sentinels=Sentinels(3, 2, 2000)), 2, "without loss"),
        (ReplicationReport(2, 2, 0, 1, keeps_files=True), 1, "may lose the last moments"),
        (ReplicationReport(2, 2, 0, 0, keeps_files=True), 2, "may lose the last moments"),
        (ReplicationReport(2, 2, 0, 1, keeps_files=False), 2, "may lose the last moments"),
    ],
)
def test_one_of_two_sentences_says_what_a_failover_may_lose(
    report: ReplicationReport, wanted: int, sentence: str
) -> None:
    (found,) = findings.of_replication(report, wanted, 0.0)
    assert sentence in found.what
    assert (found.level == "ok") == (sentence == "without loss")


@pytest.mark.parametrize(("down_after_ms", "warned"), [(1000, True), (1500, False)])
def test_sentinels_that_would_call_a_new_primary_dead_are_told(down_after_ms: int, warned: bool) -> None:
    report = ReplicationReport(2, 2, 0, 1, keeps_files=True, sentinels=Sentinels(3, 2, down_after_ms))
    found = levels(findings.of_replication(report, 2, 0.0))
    assert (found.get("Sentinels") == "warning") == warned


@pytest.mark.parametrize(("syncs_always", "level"), [(True, None), (None, None), (False, "wrong")])
def test_waiting_for_the_disk_needs_servers_that_write_at_once(syncs_always: bool | None, level: str | None) -> None:
    report = ReplicationReport(2, 2, 0, 1, keeps_files=True, syncs_always=syncs_always)
    assert levels(findings.of_replication(report, 2, 0.0, "9.0.0")).get("replicas' files") == level
    assert "replicas' files" not in levels(findings.of_replication(report, 2, 0.0))


def test_whatever_is_not_ok_says_what_to_do(tmp_path: Path) -> None:
    standing = overview(
        depth={"inbound": 1, "unknown": 1},
        oldest_seconds={"inbound": 60},
        numbers={"1": NumberState(80, 80, 30.0, "auth", half_open=False)},
        dead_letters={"crashed": 1},
    )
    found = [
        *findings.of_settings(settings.load(REQUIRED)),
        *findings.of_unknown_variables(["WA_BINT is not a setting: did you mean WA_BIND?"]),
        findings.of_script(settings.load(REQUIRED | {"WA_SCRIPT_FILE": "/nope.yaml"})),
        findings.of_reach("responder", "http://127.0.0.1:1", "ConnectionError"),
        findings.of_prompt(None),
        findings.of_prompt(tmp_path),
        findings.of_rate_card(tmp_path),
        findings.of_api_version("v18.0", NOW.date()),
        findings.of_api_version("v21.0", NOW.date()),
        *diagnosis.of_durability(["Append-only is off: set 'appendonly yes'."]),
        diagnosis.of_memory({"used_memory": "9", "maxmemory": "10"}),
        *diagnosis.of_replicas([{"state": "online", "lag": "11"}]),
        findings.of_clocks(5.0),
        *findings.of_replication(ReplicationReport(1, 2, 0, 1, keeps_files=True), 2, 0.0, "7.0.15"),
        *findings.of_replication(ReplicationReport(2, 2, 0, 0, keeps_files=False), 1, 0.0),
        *findings.of_replication(ReplicationReport(1, 2, 0, 1, keeps_files=True), 1, 0.0),
        *findings.of_replication(
            ReplicationReport(2, 2, 0, 1, keeps_files=True, sentinels=Sentinels(3, 2, 1000)), 2, 0.0
        ),
        *findings.of_replication(ReplicationReport(2, 2, 0, 1, keeps_files=True, syncs_always=False), 2, 0.0, "9.0.0"),
        *findings.of_former_numbers(["1"]),
        *diagnosis.of_overview(standing),
        *diagnosis.of_token({"is_valid": False}, NOW),
        *diagnosis.of_token(VALID | {"expires_at": int(NOW.timestamp()) + 86_400, "scopes": []}, NOW),
        *diagnosis.of_number("1", {"quality_rating": "RED"}),
        findings.of_subscriptions([]),
        findings.of_handshake(None, matches=False),
        findings.of_handshake(403, matches=False),
    ]
    assert [finding for finding in found if finding.level != "ok" and not re.search(r"[.?]$", finding.advice)] == []
    assert len([finding for finding in found if finding.level != "ok"]) >= 15


@pytest.mark.parametrize(
    ("version", "level"), [("v18.0", "warning"), ("v21.0", "warning"), ("v25.0", "ok"), ("v26.0", "ok")]
)
def test_an_ended_or_ending_api_version_is_told(version: str, level: str) -> None:
    assert findings.of_api_version(version, date(2026, 12, 1)).level == level


def test_a_redis_that_loses_data_is_wrong() -> None:
    (found,) = diagnosis.of_durability(["Append-only is off: set 'appendonly yes'."])
    assert found.level == "wrong"
    assert (found.what, found.advice) == ("Append-only is off", "Set 'appendonly yes'.")


@pytest.mark.parametrize(("used", "level"), [(50, "ok"), (75, "warning"), (90, "wrong")])
def test_memory_is_told_before_work_is_refused(used: int, level: str) -> None:
    assert diagnosis.of_memory({"used_memory": str(used), "maxmemory": "100"}).level == level


@pytest.mark.parametrize(("skew", "level"), [(0.5, "ok"), (-3.0, "warning")])
def test_clocks_that_differ_are_told(skew: float, level: str) -> None:
    assert findings.of_clocks(skew).level == level


@pytest.mark.parametrize("queue", ["inbound", "replies"])
@pytest.mark.parametrize(("seconds", "level"), [(5, "ok"), (60, "wrong")])
def test_work_that_waits_long_is_wrong(queue: str, seconds: int, level: str) -> None:
    found = diagnosis.of_overview(overview(depth={queue: 2}, oldest_seconds={queue: seconds}))
    assert levels(found)["queue and workers"] == level


def test_without_a_worker_process_nothing_is_well() -> None:
    assert levels(diagnosis.of_overview(overview(workers=0)))["queue and workers"] == "wrong"


def test_a_paused_number_is_named_with_its_reason() -> None:
    paused = NumberState(80, 80, 30.0, "auth", half_open=False)
    (number,) = [f for f in diagnosis.of_overview(overview(numbers={"7": paused})) if "7" in f.name]
    assert (number.level, number.what) == ("wrong", "Number 7 is paused: auth.")


@pytest.mark.parametrize(
    ("token", "name", "level"),
    [
        (VALID, "token", "ok"),
        (VALID | {"is_valid": False}, "token", "wrong"),
        (VALID | {"expires_at": int(NOW.timestamp()) + 86_400}, "token", "warning"),
        (VALID | {"expires_at": int(NOW.timestamp()) + 86_400 * 365}, "token", "ok"),
        (VALID, "token's scopes", "ok"),
        (VALID | {"scopes": ["whatsapp_business_messaging"]}, "token's scopes", "wrong"),
    ],
)
def test_a_token_is_judged_by_validity_end_and_scopes(token: dict[str, Any], name: str, level: str) -> None:
    assert levels(diagnosis.of_token(token, NOW))[name] == level


@pytest.mark.parametrize(("quality", "level"), [("GREEN", "ok"), ("YELLOW", "warning"), ("RED", "wrong"), (None, "ok")])
def test_a_numbers_quality_is_judged(quality: str | None, level: str) -> None:
    assert levels(diagnosis.of_number("1", {"quality_rating": quality}))["number 1 quality"] == level


@pytest.mark.parametrize(("lag", "expected"), [("10", []), ("11", ["warning"])])
def test_a_replica_that_lags_is_a_warning(lag: str, expected: list[str]) -> None:
    replicas = replicas_in({"role": "master", "slave0": f"ip=10.0.0.2,port=6379,state=online,offset=1,lag={lag}"})
    assert [finding.level for finding in diagnosis.of_replicas(replicas)] == expected


def test_a_call_to_meta_that_fails_is_a_finding() -> None:
    def ask() -> list[Finding]:
        raise WhatsAppAuthError("Invalid token", code=190, advice="Create a new one.")

    (found,) = findings_or_error("number 1", ask)
    assert found == Finding(
        "number 1", "wrong", "Meta refused or failed (number 1): Invalid token (code 190)", "Create a new one."
    )


def test_the_handshake_must_bring_the_challenge_back() -> None:
    assert findings.of_handshake(200, matches=True).level == "ok"
    assert findings.of_handshake(200, matches=False).level == "wrong"


def test_the_disk_of_a_directory_that_is_not_there_yet_is_found(tmp_path: Path) -> None:
    assert findings.of_disk(tmp_path / "not" / "yet").name == "disk"


def test_a_script_is_counted_or_told_with_its_line(tmp_path: Path) -> None:
    assert "intents" in findings.of_script(settings.load(REQUIRED)).what
    broken = tmp_path / "mine.yaml"
    broken.write_text("falback: {}\n")
    found = findings.of_script(settings.load(REQUIRED | {"WA_SCRIPT_FILE": str(broken)}))
    assert (found.level, f"{broken}, line 1" in found.what) == ("wrong", True)


@pytest.mark.parametrize(("speech", "level"), [("none", "warning"), ("http", None)])
def test_what_hears_voice_notes_is_told(speech: str, level: str | None) -> None:
    found = findings.of_speech(settings.load(REQUIRED | {"WA_SPEECH": speech, "WA_SPEECH_URL": "http://127.0.0.1:1"}))
    assert (found and found.level) == level


def test_a_model_and_a_rate_card_that_are_named_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "find_spec", lambda _: object())
    given = settings.load(REQUIRED | {"WA_SPEECH": "local", "WA_SPEECH_MODEL": str(tmp_path)})
    without = findings.of_speech(given)
    assert without is not None
    assert (without.level, "model.bin" in without.what) == ("wrong", True)
    (tmp_path / "model.bin").touch()
    (tmp_path / "tokenizer.json").touch()
    complete = findings.of_speech(given)
    assert complete is not None
    assert complete.level == "ok"
    card = tmp_path / "prices.csv"
    assert findings.of_rate_card(card).level == "wrong"
    card.write_text("country,category,price,currency\nDE,marketing,0.11,EUR\n*,*,0.05,EUR\n")
    assert findings.of_rate_card(card) == Finding("rate card", "ok", "2 prices in prices.csv")


def test_a_failed_send_is_told_with_what_to_do() -> None:
    told = _reason({"code": 131047, "title": "Re-engagement message"})
    assert told == "Re-engagement message (131047). Send a template: the customer wrote last more than 24 hours ago."
    assert _reason({"reason": "expired"}) == '{"reason": "expired"}'
