from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wa_service.observability import exposition, metrics
from wa_service.observability.metrics import StoreSamples

ROOT = Path(__file__).parents[3]

THE_STORE_SAYS: StoreSamples = {
    "whatsapp_rate_limit_remaining": {"throughput": 79, "daily": 998},
    "whatsapp_circuit_state": {"106540000000001": 2},
    "whatsapp_queue_depth": {"inbound": 3},
    "whatsapp_queue_oldest_seconds": {"inbound": 1.5},
    "whatsapp_dead_letters": {"flood": 1},
    "whatsapp_push_lag_seconds": {"sub_1": 2},
    "whatsapp_push_paused_lag_seconds": {"sub_2": 3},
}

SHARE = (
    "from pathlib import Path; from wa_service.observability import multiprocess; multiprocess.share(Path('{}')); "
    "from wa_service.observability import exposition, metrics"
)

FACTS: dict[str, Callable[[], None]] = {
    "whatsapp_messages_sent_total": lambda: metrics.message_accepted("text"),
    "whatsapp_media_downloads_total": lambda: metrics.media_downloaded(success=False),
    "whatsapp_api_latency_seconds_count": lambda: metrics.api_called("messages", 0.1),
    "whatsapp_api_errors_total": lambda: metrics.api_called("messages", 0.1, 190),
    "whatsapp_webhooks_total": lambda: metrics.webhook_answered("stored", 0.01),
    "whatsapp_webhook_seconds_count": lambda: metrics.webhook_answered("stored", 0.01),
    "whatsapp_webhook_lag_seconds_count": lambda: metrics.webhook_lagged(-1),
    "whatsapp_events_total": lambda: metrics.event_seen("audio"),
    "whatsapp_odd_webhooks_total": lambda: metrics.odd_webhook_seen("test_button"),
    "whatsapp_duplicates_total": lambda: metrics.duplicate_seen(),
    "whatsapp_store_failovers_total": lambda: metrics.store_failed_over(),
    "whatsapp_message_status_total": lambda: metrics.status_applied("read"),
    "whatsapp_delivery_seconds_count": lambda: metrics.delivery_took("read", 4),
    "whatsapp_reply_seconds_count": lambda: metrics.reply_took(0.2),
    "whatsapp_unsupported_messages_total": lambda: metrics.unsupported_received(131060),
    "whatsapp_reply_limit_reached_total": metrics.reply_limit_reached,
    "whatsapp_responder_total": lambda: metrics.responder_called("answered", 0.1),
    "whatsapp_responder_seconds_count": lambda: metrics.responder_called("answered", 0.1),
    "whatsapp_speech_seconds_count": lambda: metrics.speech_took(0.4),
    "whatsapp_marketing_choices_total": lambda: metrics.marketing_chosen("stop", "words"),
    "whatsapp_push_total": lambda: metrics.event_pushed("sub_1", "taken"),
    "whatsapp_billable_total": lambda: metrics.price_reported("marketing", "regular"),
    "whatsapp_batches_total": lambda: metrics.batch_changed("paused", "spam_limited"),
}  # fmt: skip


def samples(read_store: Callable[[], StoreSamples] | None = None) -> dict[tuple[str, tuple[str, ...]], float]:
    body, _ = exposition.render(exposition.scrape_registry(read_store))
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def total(name: str) -> float:
    return sum(value for (sample, _), value in samples().items() if sample == name)


@pytest.mark.parametrize("series", FACTS)
def test_a_fact_moves_its_series(series: str) -> None:
    before = total(series)
    FACTS[series]()
    assert total(series) == before + 1


def test_every_series_has_a_fact_that_moves_it() -> None:
    for fact in FACTS.values():
        fact()
    counted = {name for name, _ in samples() if name.endswith(("_total", "_count"))}
    assert {name for name in counted if name.startswith("whatsapp_")} == set(FACTS)


def test_the_table_of_metrics_tells_the_labels_of_each() -> None:
    for fact in FACTS.values():
        fact()
    body, _ = exposition.render(exposition.scrape_registry(lambda: THE_STORE_SAYS))
    table = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(whatsapp_\w+)` \| (.*?) \|", table, re.MULTILINE))
    told = {name: set(re.findall(r"`(\w+)`:", labels)) for name, labels in rows.items()}
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(body.decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        for sample in family.samples:
            if name.startswith("whatsapp_"):
                labels[name] |= sample.labels.keys() - {"le"}
    assert told == labels


@pytest.mark.parametrize("message_type", ["image", "audio", "video", "document", "sticker"])
def test_media_of_any_kind_counts_as_media(message_type: str) -> None:
    before = samples()["whatsapp_messages_sent_total", ("media",)]
    metrics.message_accepted(message_type)
    assert samples()["whatsapp_messages_sent_total", ("media",)] == before + 1


def test_a_pinned_message_of_a_group_counts_under_meta_s_type() -> None:
    metrics.message_accepted("pin")
    assert samples()["whatsapp_messages_sent_total", ("pin",)] >= 1


def test_a_message_type_nobody_knows_counts_as_other() -> None:
    metrics.message_accepted("hologram")
    assert ("whatsapp_messages_sent_total", ("hologram",)) not in samples()
    assert samples()["whatsapp_messages_sent_total", ("other",)] >= 1


def test_labels_from_outside_are_bounded() -> None:
    for number in range(500):
        metrics.event_seen(f"field_{number}")
    assert len([1 for name, _ in samples() if name == "whatsapp_events_total"]) < 100


def test_what_the_store_knows_is_read_at_scrape() -> None:
    told = samples(lambda: THE_STORE_SAYS)
    assert told["whatsapp_store_up", ()] == 1
    assert told["whatsapp_rate_limit_remaining", ("throughput",)] == 79
    assert told["whatsapp_rate_limit_remaining", ("daily",)] == 998
    assert told["whatsapp_circuit_state", ("106540000000001",)] == 2
    assert told["whatsapp_queue_depth", ("inbound",)] == 3
    assert told["whatsapp_queue_oldest_seconds", ("inbound",)] == 1.5
    assert told["whatsapp_dead_letters", ("flood",)] == 1


def test_with_the_store_away_the_rest_still_answers() -> None:
    def away() -> StoreSamples:
        raise ConnectionError

    told = samples(away)
    assert told["whatsapp_store_up", ()] == 0
    assert ("whatsapp_messages_sent_total", ("text",)) in told
    assert not [1 for name, _ in told if name == "whatsapp_queue_depth"]


def test_the_metrics_key_is_asked_for_where_one_is_set() -> None:
    app = exposition.guarded_app(exposition.scrape_registry(), "hush")

    def status(authorization: str) -> str:
        said: list[str] = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "HTTP_AUTHORIZATION": authorization}

        def start_response(line: str, *_: Any) -> Callable[[bytes], None]:
            said.append(line)
            return lambda _: None

        list(app(environ, start_response))
        return said[0]

    assert status("Bearer hush").startswith("200")
    assert status("Bearer hash").startswith("401")
    assert status("").startswith("401")


def test_processes_share_their_counts(tmp_path: Path) -> None:
    count = "metrics.message_accepted('text')"
    tell = "print(exposition.render(exposition.scrape_registry())[0].decode())"

    def process(code: str) -> str:
        command = [sys.executable, "-c", f"{SHARE.format(tmp_path)}; {code}"]
        return subprocess.check_output(command, cwd=ROOT, text=True)

    process(count)
    process(count)
    told = process(tell)
    assert 'whatsapp_messages_sent_total{type="text"} 2.0' in told


def test_promtool_finds_nothing_to_say(require_program: Callable[..., Path]) -> None:
    promtool = require_program("promtool")
    for fact in FACTS.values():
        fact()
    body, _ = exposition.render(exposition.scrape_registry(lambda: THE_STORE_SAYS))
    ours = b"\n".join(line for line in body.splitlines() if b"whatsapp_" in line) + b"\n"
    told = subprocess.run([promtool, "check", "metrics"], input=ours, capture_output=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, b"")


def test_what_became_of_a_push_is_told_beyond_the_limit_of_subscriptions() -> None:
    code = (
        "from wa_service.observability import exposition, metrics as m\n"
        "for n in range(300): m.subscription_served(str(n))\n"
        "m.event_pushed('beyond', 'paused')\n"
        "print(exposition.render(exposition.scrape_registry(dict))[0].decode())"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 'whatsapp_push_total{outcome="paused",subscription="other"} 1.0' in told.stdout
