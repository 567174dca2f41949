"""The whole service with its hotel desk and a real speech engine: customers write, speak and press buttons."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import pytest

from tests.e2e.conftest import tells_nothing
from tests.e2e.phones import NUMBER, customer
from tests.e2e.stack import WORKERS, Role, Stack, _children
from tests.eventually import eventually
from tests.integration.speech_notes import Note, notes, require_voice


@pytest.fixture(scope="module")
def _hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require_voice()
    settings = {"WA_RESPONDER": "script", "WA_SPEECH": "local", "WA_INTENTS": "fuzzy"}
    with Stack(tmp_path_factory.mktemp("hotel"), web_processes=1, environment=settings) as stack:
        yield stack


@pytest.fixture
def hotel(_hotel: Stack) -> Iterator[Stack]:
    """The empty hotel desk. Afterwards no log line may contain a secret, a text or a number."""
    _hotel.calm()
    yield _hotel
    tells_nothing(_hotel)


def speak(stack: Stack, wa_id: str, note: Note) -> str:
    """Send a voice note from the phone and return its message id."""
    files = {"file": (note.name, note.content, "audio/ogg")}
    return str(stack.meta.call("POST", f"phones/{wa_id}/files", files=files, data={"voice": "true"})["id"])


def reference_of(message_id: str) -> str:
    """The id by which the logs refer to a message."""
    return blake2b(f"{NUMBER}\0{message_id}".encode(), digest_size=12).hexdigest()[:12]


def lines(stack: Stack, event: str, message_id: str) -> list[dict[str, Any]]:
    """The workers' log lines with this event name about a message."""
    reference = reference_of(message_id)
    found = [line for role in WORKERS for line in stack.log(role).splitlines() if f'"{reference}"' in line]
    return [data for line in found if (data := json.loads(line))["event"] == event]


def handled(stack: Stack, message_id: str, within: float = 30.0) -> dict[str, Any]:
    """The log line that reports how a message was handled."""
    return eventually(lambda: lines(stack, "whatsapp.message.handled", message_id), within=within)[0]


def test_text_flow(hotel: Stack) -> None:
    """A customer writes and is answered; the statuses of the answer are stored in its record."""
    hotel.meta.write(customer(1), "what time is breakfast?")
    (answer,) = eventually(lambda: hotel.meta.heard(customer(1)))
    assert "7 to 10:30" in answer
    hotel.meta.settled()
    wamid = next(one["id"] for one in hotel.meta.chat(customer(1)) if one["direction"] == "in")
    record = hotel.api("GET", f"/v1/messages/{wamid}").json()
    assert record["status"] == "delivered"
    assert [step["status"] for step in record["status_history"]] == [
        "queued",
        "sending",
        "accepted",
        "sent",
        "delivered",
    ]


def test_audio_flow(hotel: Stack) -> None:
    """A voice note is downloaded, transcribed and answered; tools can read its transcription."""
    breakfast = next(note for note in notes() if note.intent == "breakfast")
    message_id = speak(hotel, customer(2), breakfast)
    (answer,) = eventually(lambda: hotel.meta.heard(customer(2)), within=30)
    assert "7 to 10:30" in answer
    events = hotel.api("GET", "/v1/events", params={"after": "0"}).json()["items"]
    heard = [item for item in events if item["kind"] == "transcript"]
    assert [item["data"]["message_id"] for item in heard] == [message_id]
    assert "breakfast" in heard[0]["data"]["transcript"].lower()


def test_template_flow(hotel: Stack) -> None:
    """A template starts a conversation; the customer presses its button and is answered."""
    body = {
        "to": customer(3),
        "template": {
            "name": "order_update",
            "language": "en_US",
            "header": "A-77",
            "body": ["Ana", "today"],
            "buttons": ["A-77"],
        },
    }
    sent = hotel.api("POST", "/v1/messages", json=body)
    assert sent.status_code in {200, 202}, sent.text
    eventually(lambda: [one for one in hotel.meta.chat(customer(3)) if one["type"] == "template"])
    hotel.meta.settled()
    record = hotel.api("GET", f"/v1/messages/{sent.json()['id']}").json()
    assert (record["type"], record["status"]) == ("template", "delivered")
    (template,) = [one for one in hotel.meta.chat(customer(3)) if one["type"] == "template"]
    button = next(b["text"] for b in template["rendered"]["buttons"] if b["type"].lower() == "quick_reply")
    hotel.meta.call("POST", f"phones/{customer(3)}/press", json={"message_id": template["id"], "button": button})
    assert eventually(lambda: [one for one in hotel.meta.chat(customer(3)) if one["direction"] == "in"][1:])


def word_error_rate(said: str, heard: str) -> float:
    """The word edits between two texts, divided by the number of words said."""
    want, got = (["".join(c for c in word if c.isalnum()) for word in text.lower().split()] for text in (said, heard))
    row = list(range(len(got) + 1))
    for i, word in enumerate(want, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1] / len(want)


def test_twelve_voice_notes_are_understood(hotel: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    spoken = {speak(hotel, customer(100 + i), note): note for i, note in enumerate(notes())}
    right = [handled(hotel, message_id, within=60)["intent"] == note.intent for message_id, note in spoken.items()]
    items = hotel.api("GET", "/v1/events", params={"after": "0"}).json()["items"]
    heard = {item["data"]["message_id"]: item["data"]["transcript"] for item in items if item["kind"] == "transcript"}
    rates = [word_error_rate(note.words, heard[message_id]) for message_id, note in spoken.items()]
    with capsys.disabled():
        print(f"\n{sum(right)} of {len(right)} notes understood, word error rate {sum(rates) / len(rates):.1%}")
    assert sum(right) >= 11
    assert all(hotel.meta.chat(customer(100 + i))[1:] for i in range(len(spoken)))


def holder(stack: Stack, message_id: str) -> Role:
    """The worker that is transcribing a note."""
    reference = reference_of(message_id)
    found: list[Role] = eventually(lambda: [role for role in WORKERS if f'"{reference}"' in stack.log(role)])
    return found[0]


def kill_child(stack: Stack, role: Role) -> None:
    (process,) = stack.children(role)
    for child in _children(process):
        os.kill(child, signal.SIGKILL)


def kill_worker(stack: Stack, role: Role) -> None:
    stack.kill_child(role)


@pytest.mark.parametrize("kill", [kill_child, kill_worker])
def test_a_note_is_answered_once_although_its_hearer_dies(hotel: Stack, kill: Callable[[Stack, Role], None]) -> None:
    parking = next(note for note in notes() if note.intent == "parking")
    wa_id = customer(200 + len(kill.__name__))
    message_id = speak(hotel, wa_id, parking)
    kill(hotel, holder(hotel, message_id))
    handled(hotel, message_id)
    eventually(lambda: hotel.meta.heard(wa_id), within=30)
    eventually(lambda: hotel.waiting() == 0, within=30)
    hotel.meta.settled()
    assert hotel.meta.accepted()[wa_id] == len([m for m in hotel.meta.chat(wa_id) if m["direction"] == "in"])
    assert len(hotel.meta.heard(wa_id)) == 1
