"""Building a pipeline from options."""

from __future__ import annotations

import base64
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.conversation.customer_messages import handled, text_message
from wa_service.conversation import assembly
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.http_responder import HttpResponder
from wa_service.conversation.script_yaml import ScriptError

NOTE = {"type": "audio", "audio": {"id": "7", "mime_type": "audio/ogg", "voice": True}}
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def test_without_any_option_the_hotel_desk_answers() -> None:
    pipeline = make_pipeline(ConversationOptions())

    assert handled(pipeline, text_message("what time is breakfast")).intent == "breakfast"


def test_without_speech_a_note_is_asked_for_in_writing() -> None:
    assert handled(make_pipeline(ConversationOptions()), NOTE).intent == "speech_off"


def test_the_responder_none_answers_nothing() -> None:
    pipeline = make_pipeline(ConversationOptions(responder="none"))

    assert handled(pipeline, text_message("hi")).replies == ()


def test_the_responder_http_needs_a_real_secret() -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes"):
        make_pipeline(ConversationOptions(responder="http", responder_url="http://127.0.0.1:1/", responder_secret="x"))


@pytest.mark.parametrize(
    ("address", "allow", "outcome"),
    [
        ("127.0.0.1", (), "connect"),
        ("[::1]", (), "connect"),
        ("10.1.2.3", (), "refused"),
        ("169.254.169.254", (), "refused"),
        ("10.1.2.3", ("10.1.0.0/16",), "connect"),
    ],
)
def test_the_responder_may_be_on_this_machine_and_in_private_networks_that_are_opened(
    monkeypatch: pytest.MonkeyPatch, address: str, allow: tuple[str, ...], outcome: str
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise OSError("connected to it")

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    monkeypatch.setattr(assembly, "HttpResponder", partial(HttpResponder, pause_seconds=0))
    options = ConversationOptions(
        responder="http",
        responder_url=f"http://{address}:1/",
        responder_secret=SECRET,
        push_allow=tuple(map(ip_network, allow)),
    )
    with capture_logs() as lines:
        handled(make_pipeline(options), text_message("hi"))
    [reason] = [line["reason"] for line in lines if line["event"] == "whatsapp.conversation.responder_failed"]
    assert ("not public" in reason) == (outcome == "refused")


def test_a_script_that_cannot_be_used_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScriptError):
        make_pipeline(ConversationOptions(script_file=tmp_path / "no.yaml"))


def test_a_pipeline_without_processes_starts_and_stops() -> None:
    pipeline = make_pipeline(ConversationOptions())

    pipeline.start()
    pipeline.stop()


def test_where_the_voice_extra_is_missing_a_note_is_asked_for_in_writing(tmp_path: Path) -> None:
    options = ConversationOptions(speech="local", speech_model=tmp_path)
    pipeline = make_pipeline(options)
    file = type("File", (), {"content": b"OggS", "mime_type": "audio/ogg"})

    try:
        with capture_logs() as lines:
            pipeline.start()
            answer = handled(pipeline, NOTE, fetch_media=lambda _id: file)
    finally:
        pipeline.stop()

    assert answer.intent == "speech_off"
    events = [line["event"] for line in lines]
    assert events == ["whatsapp.conversation.speech_unusable", "whatsapp.conversation.speech_failed"]
