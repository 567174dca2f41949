"""Record a session's webhooks and Graph calls without personal details, and replay the webhooks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from meta_emulator.anonymizer import Anonymizer
from meta_emulator.client import EmulatedMeta
from meta_emulator.records import Exchange

_NUMBER, _DISPLAY, _ACCOUNT = "{number}", "{display}", "{account}"
VERSION = 1


def record_session(
    exchanges: Iterable[Exchange],
    *,
    numbers: dict[str, str],
    account_id: str,
    keep_texts: bool = False,
) -> dict[str, Any]:
    """Return a recording: ``{"version", "steps": [{"at", "webhook"} | {"at", "call"}], "skipped"}``.

    numbers: id → digits of the business's numbers; they become ``{number}``, ``{number2}`` … ``at`` is in seconds
    from the first step. Handshakes, redeliveries and truncated bodies are left out.
    """
    placeholders = _placeholders(numbers, account_id)
    anonymizer = Anonymizer(keep_texts=keep_texts, placeholders=placeholders)
    steps: list[dict[str, Any]] = []
    skipped, started = 0, 0.0
    for exchange in exchanges:
        if exchange.kind == "handshake" or exchange.note.startswith(("try ", "redelivery")):
            continue
        try:
            step = _step(exchange, anonymizer, placeholders)
        except ValueError:
            skipped += 1
            continue
        started = started or exchange.at
        steps.append({"at": round(exchange.at - started, 3), **step})
    return {"version": VERSION, "steps": steps, "skipped": skipped}


def anonymized(captured: dict[str, Any], *, keep_texts: bool = False) -> dict[str, Any]:
    """Return a recording without personal details of captured steps: ``{"numbers", "account_id", "steps"}``."""
    placeholders = _placeholders(captured["numbers"], captured["account_id"])
    anonymizer = Anonymizer(keep_texts=keep_texts, placeholders=placeholders)
    steps = []
    for step in captured["steps"]:
        call = step.get("call")
        if call is None:
            steps.append({**step, "webhook": anonymizer.replace(step["webhook"])})
        else:
            replaced = {"path": _path(call["path"], placeholders), "body": anonymizer.replace(call["body"])}
            steps.append({**step, "call": {**call, **replaced}})
    return {"version": VERSION, "steps": steps, "skipped": 0}


def _placeholders(numbers: dict[str, str], account_id: str) -> dict[str, str]:
    placeholders = {account_id: _ACCOUNT}
    for place, (number_id, digits) in enumerate(numbers.items(), 1):
        suffix = "" if place == 1 else str(place)
        placeholders |= {digits: f"{{display{suffix}}}", number_id: f"{{number{suffix}}}"}
    return placeholders


def _path(path: str, placeholders: dict[str, str]) -> str:
    for known, placeholder in placeholders.items():
        path = path.replace(known, placeholder)
    return path


def _step(exchange: Exchange, anonymizer: Anonymizer, placeholders: dict[str, str]) -> dict[str, Any]:
    body = json.loads(exchange.request_body) if exchange.request_body.strip() else None
    if exchange.kind == "webhook":
        return {"webhook": anonymizer.replace(body), "status": exchange.status}
    path = exchange.url.split("//", 1)[-1].partition("/")[2].partition("?")[0]
    path = _path(path, placeholders)
    answer = json.loads(exchange.response_body) if exchange.response_body.startswith("{") else None
    call = {"method": exchange.method, "path": f"/{path}", "status": exchange.status}
    return {"call": {**call, "body": anonymizer.replace(body), "answer": anonymizer.replace(answer)}}


def replay_session(
    recording: dict[str, Any],
    meta: EmulatedMeta,
    *,
    at_once: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Post the recorded webhooks to the subscribed service; return its answers and sends, and the recorded sends.

    → ``{"webhooks": [status], "sends": [{"to", "type"}], "recorded_sends": [...], "same": bool}``. Timestamps are
    shifted to now. Statuses are left out: the emulator sends those of the service's new messages. Raises ValueError
    for another version of the format.
    """
    if recording.get("version") != VERSION:
        raise ValueError(f"this recording is of version {recording.get('version')}, not {VERSION}")
    meta.limits(all=False)
    before = len(meta.sends())
    steps = recording["steps"]
    offset = int(meta.clock.now()) - _first_timestamp(steps)
    started = time.monotonic()
    statuses = []
    for step in steps:
        webhook = _filled(step.get("webhook"), meta, offset)
        if webhook is None or _has_only_statuses(webhook):
            continue
        if not at_once:
            sleep(max(0.0, step["at"] - (time.monotonic() - started)))
        statuses.append(meta.control("POST", "webhooks/post", {"payload": webhook})["status"])
    meta.settle(timeout=30, quiet=1.0)
    sends = [{"to": each["to"].lstrip("+"), "type": each["type"]} for each in meta.sends()[before:]]
    recorded = [
        {"to": str(address).lstrip("+"), "type": body.get("type", "text")}
        for body in (call["body"] for call in _calls(steps) if call["path"].endswith("messages"))
        if isinstance(body, dict) and (address := body.get("to") or body.get("recipient"))
    ]
    same = sorted(map(str, sends)) == sorted(map(str, recorded)) and set(statuses) <= {200}
    return {"webhooks": statuses, "sends": sends, "recorded_sends": recorded, "same": same}


def _calls(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [step["call"] for step in steps if "call" in step]


def _filled(value: Any, meta: EmulatedMeta, offset: int, name: str = "") -> Any:
    """Return a payload with ids in place of placeholders, and timestamps shifted by ``offset`` seconds."""
    if isinstance(value, dict):
        return {key: _filled(item, meta, offset, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, meta, offset, name) for item in value]
    if name == "timestamp" and isinstance(value, (str, int)) and str(value).isdigit():
        return type(value)(int(value) + offset)
    if isinstance(value, str) and value.startswith("{"):
        if value.startswith("{number"):
            return _number_id(meta, value)
        if value.startswith("{display"):
            return "15550783881"
        if value == _ACCOUNT:
            return meta.business_account_id
    return value


def _number_id(meta: EmulatedMeta, placeholder: str) -> str:
    place = int(placeholder.strip("{}").removeprefix("number") or 1)
    return meta.phone_number_ids[min(place, len(meta.phone_number_ids)) - 1]


def _first_timestamp(steps: list[dict[str, Any]]) -> int:
    found = [int(stamp) for step in steps for stamp in _timestamps(step.get("webhook"))]
    return min(found, default=int(time.time()))


def _timestamps(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [str(value["timestamp"])] if str(value.get("timestamp", "")).isdigit() else []
        return own + [stamp for item in value.values() for stamp in _timestamps(item)]
    return [stamp for item in value for stamp in _timestamps(item)] if isinstance(value, list) else []


def _has_only_statuses(webhook: dict[str, Any]) -> bool:
    """Whether a webhook has nothing but statuses; one of another shape than Meta's has more."""
    try:
        values = [change.get("value", {}) for entry in webhook.get("entry", ()) for change in entry.get("changes", ())]
        return bool(values) and all("statuses" in value and "messages" not in value for value in values)
    except (AttributeError, TypeError):
        return False
