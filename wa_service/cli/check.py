"""`check`: check the settings, this machine, Redis and Meta, and print what to do about each problem."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click
import requests
from urllib3.exceptions import HTTPError

from wa_service.cli import findings
from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.findings import Finding
from wa_service.cli.terminal import say, table
from wa_service.config import settings as configuration
from wa_service.config.bind import reachable_at
from wa_service.config.settings import Settings, SettingsError
from wa_service.conversation.chat_completion import completions_url
from wa_service.resilience.destinations import LOOPBACK, DestinationPolicy
from wa_service.resilience.guarded_adapter import GuardedAdapter, RefusedURLError
from wa_service.store.embedded_valkey import EmbeddedValkeyError
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.replication_report import report_replication
from wa_service.store.tag_numbers import TagNumbers
from wa_service.whatsapp.errors import WhatsAppError

if TYPE_CHECKING:
    from wa_service.runtime import Runtime

_MARKS = {"ok": "✓", "warning": "!", "wrong": "✗"}
_NUMBER_FIELDS = "quality_rating,throughput,messaging_limit_tier,whatsapp_business_manager_messaging_limit"


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--offline", is_flag=True, help="Make no calls to Meta.")
def command(as_json: bool, offline: bool) -> int:
    """Check the installation, and say how to fix problems."""
    found = list(_everything(ask_meta=not offline))
    wrong = [finding for finding in found if finding.verdict == "wrong"]
    if as_json:
        say(json.dumps({"ok": not wrong, "checks": [f.as_json() for f in found]}, ensure_ascii=False))
    else:
        say(table((_MARKS[f.verdict], f.name, f.seen, f.do) for f in found))
    return 1 if wrong else 0


def _everything(*, ask_meta: bool) -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", "wrong", problem, "python -m wa_service settings prints them all.")
        return
    yield Finding("settings", "ok", f"{len(list(configuration.variables()))} variables")
    yield from findings.of_unknown_variables(configuration.unknown_variables())
    yield from findings.of_settings(settings)
    yield from _conversation(settings)
    yield findings.of_api_version(settings.api_version, datetime.now(UTC).date())
    yield findings.of_disk(settings.var_dir)
    yield findings.of_handshake(*_handshake(settings))
    try:
        with open_runtime(settings) as runtime:
            yield from _store(runtime)
            if ask_meta:
                yield from _meta(runtime)
    except EmbeddedValkeyError as error:
        yield Finding("Redis answers", "wrong", "no embedded Valkey", str(error))


def _conversation(settings: Settings) -> Iterator[Finding]:
    if settings.responder != "none":
        yield findings.of_script(settings)
    if settings.responder == "http" and settings.responder_url:
        yield findings.of_reach("responder", settings.responder_url, _reach(settings.responder_url, settings))
    if settings.responder == "llm" and settings.llm_url:
        url = completions_url(settings.llm_url)
        yield findings.of_reach("language model", url, _reach(url, settings))
        yield findings.of_prompt(settings.llm_prompt_file)
    speech = findings.of_speech(settings)
    if speech is not None:
        yield speech
    elif settings.speech_url:
        yield findings.of_reach("speech", settings.speech_url, _reach(settings.speech_url, settings))


def _reach(url: str, settings: Settings) -> str | None:
    """Return why an address does not answer HTTP; None if it answers HEAD with any status."""
    policy = DestinationPolicy([*LOOPBACK, *map(ip_network, settings.push_allow)])
    try:
        with requests.Session() as session:
            session.trust_env = False
            for scheme in ("https://", "http://"):
                session.mount(scheme, GuardedAdapter(policy, pool_size=1, ca_bundle=settings.ca_bundle))
            session.head(url, timeout=(5, 5), allow_redirects=False)
    except RefusedURLError as error:
        return str(error)
    except (requests.RequestException, HTTPError) as error:
        return type(error).__name__
    return None


def _store(runtime: Runtime) -> Iterator[Finding]:
    observer = runtime.observer
    try:
        problems, info, skew = observer.durability(), observer.info(), observer.clock_skew()
        overview, key_has_changed = observer.overview(), runtime.stops.digests.key_has_changed()
    except StoreUnavailableError:
        yield Finding("Redis answers", "wrong", "no", "Start it, or correct REDIS_URL; nothing is accepted until then.")
        return
    yield Finding("Redis answers", "ok", info.get("valkey_version") or info.get("redis_version", ""))
    yield from findings.of_store(problems, info, skew)
    yield from _replication(runtime, info.get("valkey_version") or info.get("redis_version", ""))
    former = TagNumbers(runtime.store, retention_seconds=runtime.retention_seconds).former()
    yield from findings.of_former_numbers(former)
    for caution in observer.cautions():
        yield Finding("Redis memory", "warning", "no limit", caution)
    yield from findings.of_queues(overview)
    if key_has_changed:
        do = "Set WA_STOP_KEY to the former key: without it a STOP is lost once its contact is gone."
        yield Finding("STOP key", "wrong", "has changed", do)


def _replication(runtime: Runtime, version: str) -> Iterator[Finding]:
    settings = runtime.settings
    try:
        report = report_replication(runtime.store)
    except StoreUnavailableError:
        return
    if report is not None:
        fsync_from = version if settings.redis_fsync else None
        yield from findings.of_replication(report, settings.redis_replicas, settings.failover_pause, fsync_from)
    elif settings.redis_replicas:
        do = "Nothing is acknowledged or sent: start replicas, or leave WA_REDIS_REPLICAS out."
        yield Finding("replicas", "wrong", "the server has none", do)


def _meta(runtime: Runtime) -> Iterator[Finding]:
    settings = runtime.settings
    token = settings.access_token.get_secret_value()
    first = runtime.clients[settings.phone_number_ids[0]]
    yield from _asked("token", lambda: findings.of_token(first.debug_token(token), datetime.now(UTC)))
    for number in settings.phone_number_ids:
        client = runtime.clients[number]
        yield from _asked(
            f"number {number}",
            lambda number=number, client=client: findings.of_number(  # type: ignore[misc]  # a loop's variables
                number, client.get_phone_number(fields=_NUMBER_FIELDS)
            ),
        )
    if settings.business_account_id is not None:
        yield from _asked("webhook subscribed", lambda: [findings.of_subscriptions(first.get_subscribed_apps())])


def _asked(name: str, ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return the findings of a call to Meta; if the call fails, that is the finding."""
    try:
        return list(ask())
    except WhatsAppError as error:
        return [Finding(name, "wrong", str(error), error.advice)]


def _handshake(settings: Settings) -> tuple[int | None, bool]:
    """Send Meta's handshake to our webhook; return the status and whether the challenge matches."""
    address = reachable_at(settings.bind)
    if address is None:
        return None, False
    challenge = secrets.token_hex(8)
    token = settings.verify_token.get_secret_value()
    query = urlencode({"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": challenge})
    web = http.client.HTTPConnection(*address, timeout=5)
    try:
        web.request("GET", f"/webhooks/whatsapp?{query}")
        answer = web.getresponse()
        return answer.status, answer.read() == challenge.encode()
    except (OSError, http.client.HTTPException):
        return None, False
    finally:
        web.close()
