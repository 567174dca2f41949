"""A service with its console on a free port, and one customer for each cause of a missing answer."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import orjson
from flask import Flask
from werkzeug.serving import make_server

from tests.browser.stand_in import NUMBER
from wa_service import runtime as wiring
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.conversation.script import HOTEL_DESK
from wa_service.conversation.script_check import ScriptCheck
from wa_service.runtime import Runtime
from wa_service.store.outbox import Send, SendOutcome
from wa_service.store.script_trials import ScriptTrials
from wa_service.store.stored_event import reference
from wa_service.store.template_categories import TemplateCategories
from wa_service.web.app import create_app
from wa_service.worker.script_trials_worker import ScriptTrialsWorker

TOKEN, SECRET, WABA = "EAAtest", "secret", "102030405060708"
KEYS = {
    "reader": "the-reading-key-of-tests",
    "desk": "the-sending-key-of-tests",
    "boss": "the-whole-key-of-the-tests",
}
ANA, BEN, CLEO, DAN, EVE = (f"44770090010{i}" for i in range(1, 6))
NAMES = {ANA: "Ana Lima", BEN: "Ben Okafor", CLEO: "Cleo Marin", DAN: "Dan Weiss", EVE: "ليلى حداد"}


@dataclass
class ConsoleSite:
    """The service behind the pages. A test plays the worker."""

    url: str
    runtime: Runtime
    app: Flask
    batch: str = ""

    def writes(self, customer: str, body: str, wamid: str, *, at: int = 0, kind: str = "message", **media: Any) -> None:
        """A customer sends a text, or the media in `media` (`type` and its object); `echo`: staff write in the app."""
        now = at or int(time.time())
        message: dict[str, Any] = {"id": wamid, "timestamp": str(now), "type": "text", "text": {"body": body}}
        if media:
            message = {"id": wamid, "timestamp": str(now), **media}
        value: dict[str, Any] = {"metadata": {"display_phone_number": "15550001111", "phone_number_id": NUMBER}}
        if kind == "echo":
            field, value["message_echoes"] = "smb_message_echoes", [message | {"from": "15550001111", "to": customer}]
        else:
            field, value["messages"] = "messages", [message | {"from": customer}]
            value["contacts"] = [{"profile": {"name": NAMES.get(customer, "")}, "wa_id": customer}]
        self.deliver(field, value)

    def deliver(self, field: str, value: dict[str, Any]) -> None:
        """Deliver a signed webhook."""
        entry = {"id": WABA, "changes": [{"field": field, "value": {"messaging_product": "whatsapp", **value}}]}
        raw = orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})
        signature = hmac.new(SECRET.encode(), raw, sha256).hexdigest()
        answer = self.client.post(
            "/webhooks/whatsapp",
            data=raw,
            headers={"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"},
        )
        assert answer.status_code == 200

    @property
    def client(self) -> Any:
        """A client of the REST API."""
        return self.app.test_client()

    def handled(self, wamid: str, *, replies: tuple[str, ...] = (), customer: str = "", **note: Any) -> None:
        """Handle the next message as the worker does, with these replies and this note."""
        (work,) = self.runtime.inbox.take("worker", time.monotonic_ns(), 1)[1]
        ours = reference(NUMBER, wamid)
        sends = [self._answer(customer, text, f"{ours}@1") for text in replies]
        written = orjson.dumps({"m": ours, "ms": 140, "replies": len(replies), **note}).decode()
        if "letter" in note:
            written = orjson.dumps({"m": ours, **note, "letter": work.dead_letter_id}).decode()
            self.runtime.inbox.dead_letter(work, "worker", "failed", str(note["reason"]), note=written)
        else:
            self.runtime.inbox.finish(work, "worker", sends, note=written)

    def _answer(self, customer: str, text: str, origin: str) -> Any:
        body = orjson.dumps({"to": customer, "type": "text", "text": {"body": text}})
        return Send(
            id=f"{time.monotonic_ns():032x}", number=NUMBER, type="text", body=body, address=customer, origin=origin
        )

    def sends(self, customer: str, text: str, **more: Any) -> str:
        """Send a text through the API and return its id."""
        headers = {"Authorization": f"Bearer {KEYS['boss']}", "Prefer": "respond-async"}
        answer = self.client.post("/v1/messages", json={"to": customer, "text": text, **more}, headers=headers)
        return str(answer.json["id"])

    def asks_for_batch(self, body: dict[str, Any]) -> str:
        """Submit a batch and return its id."""
        headers = {"Authorization": f"Bearer {KEYS['boss']}"}
        answer = self.client.post("/v1/batches", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json["id"])

    def granted(self, outcome: SendOutcome) -> None:
        """Send the next message as the worker does, with this outcome."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            grants = self.runtime.outbox.next(NUMBER, "worker", time.monotonic_ns(), 1).grants
            if grants:
                self.runtime.outbox.done(NUMBER, grants[0], outcome)
                return
        raise AssertionError("nothing to send")

    @contextmanager
    def trials_answered(self) -> Iterator[None]:
        """Run a worker inside the block that answers the script check's trials."""
        check = ScriptCheck(HOTEL_DESK, "fuzzy")
        worker = ScriptTrialsWorker(ScriptTrials(self.runtime.store), lambda text: asdict(check.try_sentence(text)))
        thread = threading.Thread(target=worker.consume, daemon=True)
        thread.start()
        yield
        worker.stop()
        thread.join(5)

    def status(self, customer: str, wamid: str, status: str, **more: Any) -> None:
        """Deliver a status of a send."""
        told = {"id": wamid, "status": status, "timestamp": str(int(time.time())), "recipient_id": customer, **more}
        metadata = {"display_phone_number": "15550001111", "phone_number_id": NUMBER}
        self.deliver("messages", {"metadata": metadata, "statuses": [told]})


def play(site: ConsoleSite) -> None:
    """Five customers without an answer, each for a different reason, and one conversation that went well."""
    site.runtime.inbox.heartbeat("worker")
    site.writes(EVE, "مساء الخير، هل لديكم غرفة؟", "wamid.E1")
    site.handled("wamid.E1", customer=EVE, replies=("Good evening! Yes, from 80 a night.",), intent="rooms", score=0.71)
    site.granted(SendOutcome("unknown", error={"reason": "unknown", "title": "Meta's answer did not come."}))
    site.writes(DAN, "Is the pool open?", "wamid.D1")
    site.handled("wamid.D1", letter="", kind="failed", reason="KeyError")
    site.writes(CLEO, "STOP", "wamid.C1")
    site.handled("wamid.C1")
    site.runtime.stops.apply(CLEO, stop=True, by="words")
    site.writes(BEN, "Thank you!", "wamid.B1", at=int(time.time()) - 80_000)
    site.handled("wamid.B1")
    site.sends(BEN, "Your invoice is ready.", tag="invoice-4711")
    site.granted(SendOutcome("accepted", wamid="wamid.B2"))
    closed = [
        {"code": 131047, "title": "Re-engagement message", "error_data": {"details": "More than 24 hours have passed."}}
    ]
    site.status(BEN, "wamid.B2", "failed", errors=closed)
    site.writes(ANA, "Hello! What time is breakfast?", "wamid.A1")
    site.handled("wamid.A1", customer=ANA, replies=("Breakfast is from 7 to 10:30.",), intent="breakfast", score=0.93)
    site.granted(SendOutcome("accepted", wamid="wamid.A2"))
    for status in ("sent", "delivered", "read"):
        site.status(ANA, "wamid.A2", status)
    site.writes(ANA, "I am at the desk, Ana. One moment.", "wamid.A3", kind="echo")
    site.writes(ANA, "And is there parking?", "wamid.A4")
    site.handled("wamid.A4", quiet="paused")
    season = {"name": "weekend_offer", "language": "en_US"}
    # The list of templates is fetched only once, perhaps already by another test.
    waba = site.runtime.outbox.limits_of(NUMBER).waba
    TemplateCategories(site.runtime.store, waba).note([{**season, "category": "MARKETING"}])
    items = [{"to": CLEO}, {"to": "447700900199"}]
    site.batch = site.asks_for_batch({"template": season, "items": items, "tag": "season"})
    site.runtime.batches.feed(NUMBER, {})
    site.runtime.minute_counts.add({"received": 6, "sent": 3, "delivered": 1, "failed": 1, "code:131047": 1})
    for name, url in (("sub_desk", "https://tools.example.org/events"), ("sub_gone", "http://127.0.0.1:1/events")):
        site.runtime.subscriptions.create(url, form="event", secret="whsec_eA==", cursor="0-0", subscription_id=name)


@contextmanager
def console_site(redis_url: str, graph: str) -> Iterator[ConsoleSite]:
    """A service on a free port that queries Meta at `graph`."""
    given = {
        "WHATSAPP_ACCESS_TOKEN": TOKEN,
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_VERIFY_TOKEN": "v",
        "WHATSAPP_APP_SECRET": SECRET,
        "WHATSAPP_BUSINESS_ACCOUNT_ID": WABA,
        "WHATSAPP_API_VERSION": "v24.0",
        "WHATSAPP_API_BASE_URL": graph,
        "WA_API_KEYS": f"reader:{KEYS['reader']}:read,desk:{KEYS['desk']}:read|send,boss:{KEYS['boss']}:admin",
        "REDIS_URL": redis_url,
    }
    runtime = wiring.build(settings.load(given))
    app = create_app(runtime, WebOptions.of(runtime.settings))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield ConsoleSite(f"http://127.0.0.1:{server.server_port}", runtime, app)
    server.shutdown()
    thread.join(5)
    runtime.close()
