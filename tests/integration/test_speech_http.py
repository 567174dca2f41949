"""`WA_SPEECH=http`: an OpenAI-compatible service, replaced at the HTTP adapter."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import requests_mock
from structlog.testing import capture_logs

from wa_service.conversation.http_speech import SpeechClient, SpeechFailedError, Transcript
from wa_service.resilience.breaker import CircuitBreaker, Unavailable
from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError

URL = "https://speech.example.com/v1/audio/transcriptions"
NOTE = b"OggS a note"

Mock = requests_mock.Mocker


@pytest.fixture
def service() -> Any:
    with requests_mock.Mocker() as mocker:
        yield mocker


def heard(**others: Any) -> Transcript:
    return SpeechClient("https://speech.example.com", **others).transcribe(NOTE, AudioContainer.OGG)


def test_the_services_text_is_the_transcript(service: Mock) -> None:
    service.post(URL, json={"text": "What time is breakfast?"})

    assert heard() == Transcript("What time is breakfast?", None)


@pytest.mark.parametrize("base", ["https://speech.example.com", "https://speech.example.com/v1/"])
def test_the_address_may_end_in_v1_or_not(service: Mock, base: str) -> None:
    service.post(URL, json={"text": "hi"})

    assert SpeechClient(base).transcribe(NOTE, AudioContainer.OGG).text == "hi"


def test_the_recording_goes_as_a_file_of_its_kind_with_the_model_and_the_key(service: Mock) -> None:
    service.post(URL, json={"text": "hi"})

    heard(api_key="key-1", model="whisper-2", language="pt")

    sent = service.last_request
    assert sent.headers["Authorization"] == "Bearer key-1"
    for part in (b'filename="voice.ogg"', b"Content-Type: audio/ogg", NOTE, b"whisper-2", b'name="language"\r\n\r\npt'):
        assert part in sent.body


def test_without_a_key_none_is_sent(service: Mock) -> None:
    service.post(URL, json={"text": "hi"})

    heard()

    assert "Authorization" not in service.last_request.headers


def test_a_service_that_tells_how_sure_it_is_is_listened_to(service: Mock) -> None:
    service.post(URL, json={"text": "hi", "segments": [{"avg_logprob": -0.5}, {"avg_logprob": -1.5}]})

    assert heard().confidence == pytest.approx(0.3679, abs=1e-3)


def test_the_answer_that_has_the_confidence_is_asked_for(service: Mock) -> None:
    service.post(URL, json={"text": "hi"})

    heard()

    assert b'name="response_format"\r\n\r\nverbose_json' in service.last_request.body


@pytest.mark.parametrize(
    "refusal",
    [
        {"error": {"message": "Only support response_format `text` or `json`", "param": "response_format"}},
        {"error": "The output format verbose_json is not available."},
    ],
)
def test_a_service_that_has_no_confidence_is_asked_without_it_from_then_on(service: Mock, refusal: Any) -> None:
    service.post(URL, [{"status_code": 400, "json": refusal}, {"json": {"text": "hi"}}])
    speech = SpeechClient("https://speech.example.com")

    for _ in range(2):
        assert speech.transcribe(NOTE, AudioContainer.OGG) == Transcript("hi", None)
    bodies = [request.body for request in service.request_history]

    assert [b"verbose_json" in body for body in bodies] == [True, False, False]


def test_two_notes_that_are_refused_at_once_are_both_asked_again(service: Mock) -> None:
    speech = SpeechClient("https://speech.example.com")
    refusal = {"error": {"message": "response_format must be json"}}

    def refuse_after_another(request: Any, context: Any) -> Any:
        if b"verbose_json" not in request.body:
            return {"text": "hi"}
        if len(service.request_history) == 1:
            assert speech.transcribe(NOTE, AudioContainer.OGG).text == "hi"
        context.status_code = 422
        return refusal

    service.post(URL, json=refuse_after_another)

    assert speech.transcribe(NOTE, AudioContainer.OGG).text == "hi"


REFUSED = {
    413: RecordingTooLongError,
    400: RecordingUnreadableError,
    415: RecordingUnreadableError,
    422: RecordingUnreadableError,
}


@pytest.mark.parametrize(("status", "error"), REFUSED.items())
def test_a_refused_recording_is_the_recordings_fault(service: Mock, status: int, error: type[Exception]) -> None:
    service.post(URL, status_code=status)

    with pytest.raises(error):
        heard()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_failing_service_is_not_the_recordings_fault(service: Mock, status: int) -> None:
    service.post(URL, status_code=status)

    with pytest.raises(SpeechFailedError):
        heard()


@pytest.mark.parametrize("body", ["<html>", "[]", '{"text": 7}', '{"words": "hi"}'])
def test_an_answer_without_a_text_is_a_failure(service: Mock, body: str) -> None:
    service.post(URL, text=body)

    with pytest.raises(SpeechFailedError):
        heard()


def test_a_service_that_cannot_be_reached_is_a_failure(service: Mock) -> None:
    service.post(URL, exc=requests.ConnectTimeout)

    with pytest.raises(SpeechFailedError):
        heard()


def test_after_many_failures_the_worker_is_told_to_wait(service: Mock) -> None:
    service.post(URL, status_code=500)
    speech = SpeechClient("https://speech.example.com", service=CircuitBreaker("speech", failures=2))
    for _ in range(2):
        with pytest.raises(SpeechFailedError):
            speech.transcribe(NOTE, AudioContainer.OGG)

    with pytest.raises(Unavailable):
        speech.transcribe(NOTE, AudioContainer.OGG)


def test_a_refused_recording_is_no_sign_that_the_service_is_away(service: Mock) -> None:
    service.post(URL, status_code=400)
    speech = SpeechClient("https://speech.example.com", service=CircuitBreaker("speech", failures=1))

    for _ in range(2):
        with pytest.raises(RecordingUnreadableError):
            speech.transcribe(NOTE, AudioContainer.OGG)


def test_failures_are_told_without_the_key(service: Mock) -> None:
    service.post(URL, status_code=401)

    with capture_logs() as lines, pytest.raises(SpeechFailedError):
        heard(api_key="key-1")

    assert [(line["event"], line["reason"]) for line in lines] == [("whatsapp.conversation.speech_failed", "HTTP 401")]
