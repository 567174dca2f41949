"""What is wrong with the running service, and what to do about it: for `check` and for the console's page Now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from wa_service.store.memory import FULL_SHARE

if TYPE_CHECKING:
    from wa_service.store.overview import Overview

Level = Literal["ok", "warning", "wrong"]

DAYS_BEFORE_END: Final = 60
NUMBER_FIELDS: Final = "quality_rating,throughput,messaging_limit_tier,whatsapp_business_manager_messaging_limit"
_SCOPES: Final = ("whatsapp_business_messaging", "whatsapp_business_management")
_WARNING_SHARE: Final = 0.7
_OLDEST_SECONDS: Final = 30.0
_LAGGING_SECONDS: Final = 10
_PUSH_LAG_SECONDS: Final = 300.0
_LEVEL_OF_QUALITY: Final[Mapping[str, Level]] = {"RED": "wrong", "YELLOW": "warning"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked, its level, what was seen (a sentence if something is wrong), what to do, and its runbook.

    `wrong`: messages wait or are lost, or soon will be.
    """

    name: str
    level: Level
    what: str
    advice: str = ""
    runbook: str = ""


def of_durability(problems: Sequence[str]) -> Iterator[Finding]:
    """Whether Redis keeps what it acknowledges; `problems` are those of `Observer.durability`."""
    for problem in problems:
        what, _, advice = problem.partition(": ")
        advice = f"{advice[:1].upper()}{advice[1:]}"
        yield Finding("Redis keeps everything", "wrong", what, advice, "store-unavailable")
    if not problems:
        yield Finding("Redis keeps everything", "ok", "append-only, no eviction, a primary")


def of_memory(info: Mapping[str, str]) -> Finding:
    """Whether Redis has memory left, from its INFO."""
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > _WARNING_SHARE * most:
        level: Level = "warning" if used < FULL_SHARE * most else "wrong"
        advice = f"Raise maxmemory: above {FULL_SHARE:.0%} new work is refused."
        return Finding(
            "Redis memory", level, f"The store's memory is {used / most:.0%} full.", advice, "webhook-errors"
        )
    return Finding("Redis memory", "ok", f"{used / 2**20:.0f} MiB" + (f" of {most / 2**20:.0f}" if most else ""))


def of_replicas(replicas: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    """Which replicas are behind (see `replicas_in`)."""
    for replica in replicas:
        if replica.get("state") != "online" or int(replica.get("lag") or 0) > _LAGGING_SECONDS:
            what = f"A replica is behind: {replica.get('state')}, {replica.get('lag')} s."
            yield Finding("replicas", "warning", what, "Check its server and network.", "store-failover")


def of_overview(overview: Overview) -> Iterator[Finding]:
    """Whether workers run, and what waits, is paused or failed."""
    yield from _of_queues(overview)
    for number, state in overview.numbers.items():
        if state.circuit:
            what = f"Number {number} is paused: {state.pause_reason}."
            advice = "The log's whatsapp.number.paused and whatsapp.send.retry_scheduled say why."
            runbook = "account-refused" if state.pause_reason == "account" else "number-paused"
            yield Finding(f"number {number} may send", "wrong", what, advice, runbook)
    if letters := sum(overview.dead_letters.values()):
        advice = "Review them, and replay or drop them: python -m wa_service dead-letters."
        yield Finding("dead letters", "warning", f"Dead letters: {letters}.", advice, "dead-letters")
    if unknown := overview.depth["unknown"]:
        what, advice = f"Sends with an unknown outcome: {unknown}.", "They are settled automatically."
        yield Finding("unknown sends", "warning", what, advice, "sends-unknown")
    left, limit = overview.daily_remaining, overview.daily_limit
    if limit and left < limit / 10:
        what = f"{left} of {limit} customers may still be opened by template within 24 hours."
        advice = "Send fewer templates, or ask Meta for a higher tier."
        yield Finding("template quota", "warning", what, advice, "daily-limit-nearly-used")
    yield from _of_pushes(overview)


def _of_queues(overview: Overview) -> Iterator[Finding]:
    name, depth, oldest = "queue and workers", overview.depth, overview.oldest_seconds
    waiting = f"{sum(depth[queue] for queue in ('inbound', 'replies', 'bulk'))} wait"
    found = []
    if overview.workers == 0:
        advice = "Start workers: python -m wa_service worker."
        found.append(Finding(name, "wrong", f"No worker is running; {waiting}.", advice, "queue-old"))
    if oldest["inbound"] > _OLDEST_SECONDS:
        what = f"A customer's message waits {oldest['inbound']:.0f} s; {waiting}."
        found.append(Finding(name, "wrong", what, "Check that workers run, or start more.", "queue-old"))
    if oldest["replies"] > _OLDEST_SECONDS:
        what = f"A reply waits {oldest['replies']:.0f} s to be sent; {waiting}."
        advice = "Check whether the number is paused or its throughput is used up."
        found.append(Finding(name, "wrong", what, advice, "sends-old"))
    yield from found or [Finding(name, "ok", f"{waiting}, {overview.workers} worker processes")]


def _of_pushes(overview: Overview) -> Iterator[Finding]:
    for subscription, lag in overview.push_lag_seconds.items():
        if lag > _PUSH_LAG_SECONDS:
            what = f"Subscription {subscription} is {lag:.0f} s behind."
            yield Finding(f"subscription {subscription}", "warning", what, "Look at its failures.", "push-behind")
    for subscription, lag in overview.push_paused_lag_seconds.items():
        if lag:
            what = f"Subscription {subscription} is paused, and events wait for it."
            advice = "Fix its receiver and resume it, or delete it."
            yield Finding(f"subscription {subscription}", "warning", what, advice, "push-behind")


def of_token(token: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """Whether the token is valid, for how long, and for what (`debug_token`, docs/meta-cloud-api.md, 1.3)."""
    if not token.get("is_valid", False):
        advice = "Create a new system user token and set WHATSAPP_ACCESS_TOKEN."
        yield Finding("token", "wrong", "The token is not valid.", advice)
        return
    if expires := int(token.get("expires_at") or 0):
        end = datetime.fromtimestamp(expires, UTC)
        soon = (end - now).days < DAYS_BEFORE_END
        advice = "Use a system user token, which does not expire." if soon else ""
        what = f"The token ends on {end:%Y-%m-%d}." if soon else f"valid until {end:%Y-%m-%d}"
        yield Finding("token", "warning" if soon else "ok", what, advice)
    else:
        yield Finding("token", "ok", "valid, does not expire")
    if missing := [scope for scope in _SCOPES if scope not in (token.get("scopes") or ())]:
        what, advice = f"The token lacks {', '.join(missing)}.", "Create a token with these scopes."
        yield Finding("token's scopes", "wrong", what, advice)
    else:
        yield Finding("token's scopes", "ok", ", ".join(_SCOPES))


def of_number(number: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    """Quality, tier and throughput of a number as Meta sees them (docs/meta-cloud-api.md, 8.1)."""
    quality = str(node.get("quality_rating") or "UNKNOWN")
    level = _LEVEL_OF_QUALITY.get(quality, "ok")
    what = quality.lower() if level == "ok" else f"The quality of number {number} is {quality.lower()}."
    advice = "Customers block or report it: send less, and only what they asked for." if level != "ok" else ""
    yield Finding(f"number {number} quality", level, what, advice)
    tier = node.get("whatsapp_business_manager_messaging_limit") or node.get("messaging_limit_tier") or "unknown"
    throughput = node.get("throughput")
    speed = throughput.get("level") if isinstance(throughput, Mapping) else None
    yield Finding(f"number {number} limits", "ok", f"tier {tier}, throughput {speed or 'unknown'}".lower())
