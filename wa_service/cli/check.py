"""`check`: check the settings, this machine, Redis and Meta, and print what to do about each problem."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click
import requests
from urllib3.exceptions import HTTPError

from wa_service.cli import findings
from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import say, table
from wa_service.config import settings as configuration
from wa_service.config.bind import reachable_at
from wa_service.config.settings import Settings, SettingsError
from wa_service.conversation.chat_completion import completions_url
from wa_service.resilience.destinations import LOOPBACK, DestinationPolicy
from wa_service.resilience.guarded_adapter import GuardedAdapter, RefusedURLError
from wa_service.service.diagnosis import Finding, of_durability, of_memory, of_overview
from wa_service.service.meta_facts import ask_meta, findings_or_error
from wa_service.store.embedded_valkey import EmbeddedValkeyError
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.replication_report import report_replication
from wa_service.store.tag_numbers import TagNumbers

if TYPE_CHECKING:
    from wa_service.runtime import Runtime

_HANDSHAKE_SECONDS = 5.0
_MARKS = {"ok": "✓", "warning": "!", "wrong": "✗"}


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--offline", is_flag=True, help="Make no calls to Meta.")
def command(as_json: bool, offline: bool) -> int:
    """Check the installation, and say how to fix problems."""
    found = list(_everything(offline=offline))
    wrong = [finding for finding in found if finding.level == "wrong"]
    if as_json:
        checks = [{"name": f.name, "verdict": f.level, "seen": f.what, "do": f.advice} for f in found]
        say(json.dumps({"ok": not wrong, "checks": checks}, ensure_ascii=False))
    else:
        say(table((_MARKS[f.level], f.name, f.what, f.advice) for f in found))
    return 1 if wrong else 0


def _everything(*, offline: bool) -> Iterator[Finding]:
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
    if settings.rate_card is not None:
        yield findings.of_rate_card(settings.rate_card)
    yield findings.of_api_version(settings.api_version, datetime.now(UTC).date())
    yield findings.of_disk(settings.var_dir)
    yield findings.of_handshake(*_handshake(settings))
    try:
        with open_runtime(settings) as runtime:
            yield from _store(runtime)
            if not offline:
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
    yield from of_durability(problems)
    yield of_memory(info)
    yield findings.of_clocks(skew)
    yield from _replication(runtime, info.get("valkey_version") or info.get("redis_version", ""))
    former = TagNumbers(runtime.store, retention_seconds=runtime.retention_seconds).former()
    yield from findings.of_former_numbers(former)
    for caution in observer.cautions():
        yield Finding("Redis memory", "warning", "no limit", caution)
    yield from of_overview(overview)
    if key_has_changed:
        advice = "Set WA_STOP_KEY to the former key: without it a STOP is lost once its contact is gone."
        yield Finding("STOP key", "wrong", "has changed", advice)


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
        advice = "Nothing is acknowledged or sent: start replicas, or leave WA_REDIS_REPLICAS out."
        yield Finding("replicas", "wrong", "the server has none", advice)


def _meta(runtime: Runtime) -> Iterator[Finding]:
    settings = runtime.settings
    yield from ask_meta(runtime.clients, settings.access_token.get_secret_value())
    if settings.business_account_id is not None:
        first = runtime.clients[settings.phone_number_ids[0]]
        ask = first.get_subscribed_apps
        yield from findings_or_error("webhook subscribed", lambda: [findings.of_subscriptions(ask())])


def _handshake(settings: Settings) -> tuple[int | None, bool]:
    """Send Meta's handshake to our webhook; return the status and whether the challenge matches."""
    challenge = secrets.token_hex(8)
    token = settings.verify_token.get_secret_value()
    query = urlencode({"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": challenge})
    web = _connection_to(settings.bind)
    try:
        web.request("GET", f"/webhooks/whatsapp?{query}")
        answer = web.getresponse()
        return answer.status, answer.read() == challenge.encode()
    except (OSError, http.client.HTTPException):
        return None, False
    finally:
        web.close()


def _connection_to(bind: str) -> http.client.HTTPConnection:
    """Return a connection to web, which is opened by its first request."""
    address = reachable_at(bind)
    if address is None:
        return _UnixConnection(re.sub("^unix:(//)?", "", bind))
    return http.client.HTTPConnection(*address, timeout=_HANDSHAKE_SECONDS)


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_HANDSHAKE_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect; a hook of HTTPConnection."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_HANDSHAKE_SECONDS)
        self.sock.connect(self._path)
