"""Whatever a model, responder or speech service returns: no worker blocks, no message fails, sizes are bounded."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.hostile_shapes import OFTEN, hostile_json, measured
from tests.unit.conversation.customer_messages import handled, text_message, utterance_of
from wa_service.conversation import assembly
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.embeddings import EmbeddingsClient, similarity
from wa_service.conversation.http_responder import HttpResponder
from wa_service.conversation.http_speech import LARGEST_TRANSCRIPT, SpeechClient
from wa_service.conversation.llm_responder import LlmResponder
from wa_service.conversation.outside_responder import LARGEST_ANSWER
from wa_service.conversation.responder import MAX_TEXT, Responder, ResponderAnswer, ScriptResponder
from wa_service.conversation.script import MAX_REPLIES, load_script
from wa_service.conversation.transcription import Transcriber, Transcription
from wa_service.resilience.http import HttpAnswer, HttpCaller, HttpCallError
from wa_service.whatsapp.media.download import Media

pytestmark = pytest.mark.usefixtures("frozen_heap")

LARGEST_LINE = 1_024
"""The maximum size of a log line, in bytes."""
CALL = {"id": "c", "type": "function", "function": {"name": "handover", "arguments": '{"reason":"angry"}'}}
COMPLETIONS: list[Any] = [
    {"choices": [{"message": {"content": "Hello **Ada**", "tool_calls": [CALL]}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": [{"type": "text", "text": "Hello"}], "tool_calls": [CALL]}}], "usage": {}},
    {"error": {"message": "max_completion_tokens"}},
]
PIECES: list[Any] = [
    {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **CALL}]}, "finish_reason": "stop"}]},
]
MARKDOWN = ("**a ", "__a ", "[", "[a](http://", "# ", "# a ", "\n# a", "<think>", "*", "![a]", "> ", "**a\n")
ANSWERS: list[Any] = [
    {"messages": [{"text": "Hello"}, {"type": "text", "text": {"body": "Hello"}}], "pause": 60, "mark_read": True},
    {"messages": [{"template": {"name": "welcome", "language": "en_US", "body": ["Ada"]}}]},
    {"messages": [{"image": {"link": "https://example.com/a.png"}} for _ in range(MAX_REPLIES)]},
]
TRANSCRIPTS: list[Any] = [
    {"text": "Hello", "segments": [{"avg_logprob": -0.2, "start": 0.5, "end": 1}], "speech_seconds": 1.5},
    {"text": "Hello", "only_language": "English", "segments": [{"avg_logprob": -0.2}, {"avg_logprob": -0.3}]},
]
VECTORS: list[Any] = [{"data": [{"embedding": [0.5, 0.5], "index": 0}], "model": "m"}]


class Answering(HttpCaller):
    """A service that responds to every request with the same bytes."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        super().__init__()
        self.answer = HttpAnswer(status, body)

    def post(self, url: str, *, seconds: float, headers: Mapping[str, str], **content: Any) -> HttpAnswer:
        del url, seconds, headers, content
        return self.answer


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> ScriptResponder:
    path: Path = tmp_path_factory.mktemp("script") / "script.yaml"
    path.write_text('fallback: {reply: [{text: "Fallback."}]}\n')
    return ScriptResponder(load_script(path))


def streamed(piece: bytes, count: int) -> bytes:
    return b"".join([b"data: ", piece, b"\n\n"] * max(1, min(count, LARGEST_ANSWER // (len(piece) + 8))))


def responded(responder: Responder) -> ResponderAnswer:
    """Return the responder's answer, which must take a bounded time and log only short lines."""
    with capture_logs() as lines:
        answer: ResponderAnswer = measured(lambda: responder.respond(utterance_of(text_message("hi"))))
    assert all(len(orjson.dumps(line)) <= LARGEST_LINE for line in lines)
    return answer


@pytest.mark.chaos
@OFTEN
@given(hostile_json(COMPLETIONS, LARGEST_ANSWER - 1_024, *MARKDOWN), st.sampled_from([200, 200, 200, 400]))
@example(orjson.dumps({"choices": [{"message": {"content": "# a" + " " * 500_000 + "b"}}]}), 200)
def test_whatever_a_model_answers_costs_a_bounded_time(scripted: ScriptResponder, body: bytes, status: int) -> None:
    model = LlmResponder("http://x", "m", "Be kind.", scripted, pause_seconds=0, caller=Answering(body, status))

    answer = responded(model)

    assert all(len(reply["text"]["body"]) <= MAX_TEXT for reply in answer.replies)
    assert len(answer.handover) <= 500


@pytest.mark.chaos
@OFTEN
@given(hostile_json(PIECES, 4_000, *MARKDOWN) | hostile_json(PIECES, LARGEST_ANSWER - 1_024), st.integers(1, 50_000))
@example(b"1", 100_000)
@example(b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"aaaaaaaaaaaaaaaa"}}]}}]}', 100_000)
def test_whatever_a_model_streams_costs_a_bounded_time(scripted: ScriptResponder, piece: bytes, count: int) -> None:
    body = streamed(piece, count) + b"data: [DONE]\n\n"
    model = LlmResponder("http://x", "m", "Be kind.", scripted, pause_seconds=0, caller=Answering(body))

    answer = responded(model)

    assert all(len(reply["text"]["body"]) <= MAX_TEXT for reply in answer.replies)


@pytest.mark.chaos
@OFTEN
@given(hostile_json(ANSWERS, LARGEST_ANSWER - 1_024))
def test_whatever_a_tool_answers_costs_a_bounded_time(scripted: ScriptResponder, body: bytes) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    tool = HttpResponder("http://x", secret, scripted, pause_seconds=0, caller=Answering(body))

    answer = responded(tool)

    assert len(answer.replies) <= MAX_REPLIES
    assert len(orjson.dumps(answer.replies)) <= 2 * LARGEST_ANSWER


@pytest.mark.chaos
@OFTEN
@given(hostile_json(TRANSCRIPTS, LARGEST_TRANSCRIPT - 1_024))
@example(b'{"text":"x","segments":[{"avg_logprob":1e3}]}')
@example(b'{"text":"x","segments":[{"avg_logprob":-1,"start":-1e308,"end":1e308}]}')
def test_whatever_a_speech_service_answers_costs_a_bounded_time(body: bytes) -> None:
    transcriber = Transcriber(SpeechClient("http://x", caller=Answering(body)))
    recording: Any = SimpleNamespace(media_id="1", raw={})
    media = Media(b"OggS" + bytes(60), "audio/ogg", "", 64)

    with capture_logs() as lines:
        found: Transcription = measured(lambda: transcriber.transcribe(recording, lambda _: media))

    assert found.confidence is None or 0 <= found.confidence <= 1
    assert all(len(orjson.dumps(line)) <= LARGEST_LINE for line in lines)


@pytest.mark.chaos
@OFTEN
@given(hostile_json(VECTORS, LARGEST_ANSWER))
@example(b'{"data":[{"embedding":[1e308,1]}]}')
@example(b'{"data":[{"embedding":[1e30,1e30]}]}')
def test_whatever_is_answered_as_vectors_costs_a_bounded_time(body: bytes) -> None:
    embeddings = EmbeddingsClient("http://x", caller=Answering(body))

    def vectors() -> Any:
        try:
            return embeddings.embed(["hello"], 1.0)
        except HttpCallError:
            return []

    for vector in measured(vectors):
        assert similarity(vector, vector) == pytest.approx(1.0, abs=0.01)


def test_a_vector_without_a_length_is_like_nothing() -> None:
    """A number too large for a float32 would make the vector most similar to every example."""
    with pytest.raises(HttpCallError):
        EmbeddingsClient("http://x", caller=Answering(b'{"data":[{"embedding":[1e308,1]}]}')).embed(["hello"], 1.0)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("**a **b**", "**a *b*"),
        ("**a** and **b**", "*a* and *b*"),
        ("__a__, (__b c__)", "*a*, (*b c*)"),
        ("__a__b", "__a__b"),
        ("file__name__x", "file__name__x"),
        ("see https://x.example/a/__b__/c and __d__", "see https://x.example/a/__b__/c and *d*"),
        ("[here](https://x.example/**b**)", "here: https://x.example/**b**"),
        ("**https://x.example/a__b__**", "*https://x.example/a__b__*"),
        ("# A title ##", "*A title*"),
        ("# ##", "# ##"),
        ("[[a](https://x.example)]", "[a: https://x.example]"),
        ("***a***", "**a**"),
    ],
)
def test_a_model_s_marks_become_whatsapp_s(scripted: ScriptResponder, said: str, shown: str) -> None:
    body = orjson.dumps({"choices": [{"message": {"content": said}}]})
    (reply,) = responded(LlmResponder("http://x", "m", "p", scripted, caller=Answering(body))).replies
    assert reply["text"]["body"] == shown


@pytest.mark.parametrize("kind", ["http", "llm"])
def test_of_an_answer_that_is_too_long_no_more_is_read(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    for responder in (HttpResponder, LlmResponder):
        monkeypatch.setattr(assembly, responder.__name__, partial(responder, pause_seconds=0))
    long = orjson.dumps({"messages": [{"text": "Hello"}], "choices": [{"message": {"content": "x" * LARGEST_ANSWER}}]})

    class Tool(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            # Closing a connection with an unread request resets it, and the client loses the response.
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # the client stops reading
                self.wfile.write(long)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Tool) as server, capture_logs() as lines:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        secret = "whsec_" + base64.b64encode(bytes(32)).decode()
        options = ConversationOptions(
            responder=kind, responder_url=url, responder_secret=secret, llm_url=url, llm_model="m", llm_timeout=2
        )
        result = handled(make_pipeline(options), text_message("hi"))
        server.shutdown()
        thread.join()

    assert result.replies
    assert {line.get("reason") for line in lines} == {"the answer is too long"}
