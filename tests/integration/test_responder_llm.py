"""WA_RESPONDER=llm: a language model over a real socket: whole, streamed, slow, broken, invalid."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from structlog.testing import capture_logs

from tests.integration.chat_server import ChatServer, Reply, refused, said, streamed
from tests.integration.lanes import KEEP, NUMBER, Lanes, message
from tests.integration.test_old_and_changed_messages import edit, revoke
from tests.integration.test_worker_inbound import NO_RECEIPTS, PoliteInbox, bodies, gevent_until, no_media
from tests.keys import PREFIX
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.chat_completion import completions_url
from wa_service.conversation.llm_responder import LlmResponder, PromptError, question_of, read_prompt
from wa_service.conversation.responder import ScriptResponder
from wa_service.conversation.script import load_script
from wa_service.conversation.utterance import Turn, Utterance
from wa_service.push.event_form import event_item
from wa_service.resilience.breaker import CircuitBreaker, Unavailable
from wa_service.service.conversation_view import ConversationView
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.events import Events
from wa_service.store.outbox import SendOutcome
from wa_service.store.threads import Threads
from wa_service.worker.inbound import InboundWorker
from wa_service.worker.turns import Turns

FALLBACK = "Fallback."
SCRIPT = 'fallback: {reply: [{text: "Fallback."}]}\n'
BEGINNING = ("user", "[the conversation so far:]")
SECRET_WORDS = "my card is 4111"
Serve = Callable[..., ChatServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ChatServer] = []

    def start(*answers: Any) -> ChatServer:
        servers.append(ChatServer(*answers))
        return servers[-1].__enter__()

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptResponder:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    return ScriptResponder(load_script(path))


@pytest.fixture
def responder(scripted: ScriptResponder) -> Callable[..., LlmResponder]:
    def make(server: ChatServer, **others: Any) -> LlmResponder:
        options = {"pause_seconds": 0.01, "clock": lambda: 1_800_000_000.0, **others}
        return LlmResponder(server.url, "small", "Be kind.", scripted, **options)

    return make


Responder = Callable[..., LlmResponder]


def utterance(text: str = SECRET_WORDS, **others: Any) -> Utterance:
    given: dict[str, Any] = {
        "id": "wamid.A1",
        "conversation": "c1",
        "phone_number_id": NUMBER,
        "timestamp": 1_750_000_000,
        "kind": "text",
        "text": text,
        "message": {"type": "text", "text": {"body": text}},
        **others,
    }
    return Utterance(**given)


def body(answer: Any) -> str:
    (reply,) = answer.replies
    return str(reply["text"]["body"])


CALLED = (
    {"index": 0, "function": {"name": "handover", "arguments": '{"rea'}},
    {"index": 0, "function": {"arguments": 'son": "angry"}'}},
)


def whole_call(call_id: str, reason: str) -> dict[str, Any]:
    """A call in one piece and without an index, as some servers stream it."""
    return {"id": call_id, "function": {"name": "handover", "arguments": json.dumps({"reason": reason})}}


HANDED_OVER = "I am handing over to a colleague, who will write to you here."
GOOD = {
    "whole": (said("Hello!"), "Hello!"),
    "streamed": (streamed({"role": "assistant"}, {"content": "Hel"}, {"content": "lo!"}), "Hello!"),
    "streamed without the word for its end": (
        Reply(b'data: {"choices":[{"delta":{"content":"Hello!"},"finish_reason":"stop"}]}\n\n'),
        "Hello!",
    ),
    "with half an emoji": (said("Hello \ud83d"), "Hello \ufffd"),
    "in parts": (said([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo!"}]), "Hello!"),
    "after reasoning": (said("<think>They greet.\nSo do I.</think>\n\nHello!"), "Hello!"),
    "after reasoning without its first tag": (said("They greet.\nSo do I.\n</think>\n\nHello!"), "Hello!"),
    "after two pieces of reasoning": (said("<think>a</think><think>b</think>Hello!"), "Hello!"),
    "with reasoning in the middle": (said("Hel<think>a</think>lo!"), "Hello!"),
    "with reasoning about a call": (said("<think>No <tool_call>!</think>Hello!"), "Hello!"),
    "in Markdown": (
        said("# Rooms\n**Double**: __nice__, [see](https://a.example/b)"),
        "*Rooms*\n*Double*: *nice*, see: https://a.example/b",
    ),
    "with a tool nobody has": (said("Hello!", tools=(("weather", "{}"),)), "Hello!"),
    "cut off by its length": (said("Hello!", end="length"), "Hello!"),
    "far too long": (said("a" * 5_000), "a" * 4_095 + "…"),
}


@pytest.mark.parametrize(("answer", "text"), GOOD.values(), ids=GOOD.keys())
def test_what_the_model_says_is_the_reply(serve: Serve, responder: Responder, answer: Reply, text: str) -> None:
    assert body(responder(serve(answer)).respond(utterance())) == text


BAD = {
    "no JSON": Reply(b"<html>"),
    "another JSON": Reply(b"[]"),
    "no choices": Reply(b'{"choices": []}'),
    "choices of nothing": Reply(b'{"choices": [null]}'),
    "no message": Reply(b'{"choices": [{}]}'),
    "empty": said(""),
    "null": said(None),
    "a number": said(7),
    "reasoning alone": said("<think>I never come to an end"),
    "filtered": said("Hello!", end="content_filter"),
    "a call in the text that cannot be read": said("<tool_call>{oh</tool_call>"),
    "an error on the way": said("Hel", end="error"),
    "a wrong key": refused(401, "Incorrect API key"),
    "an unknown model": refused(404, "no such model"),
    "a stream that broke off": streamed({"content": "Hel"}, done=False),
    "a stream that was filtered": Reply(
        b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
        b'data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]}\n\ndata: [DONE]\n\n'
    ),
    "a stream that ended with an error": Reply(
        b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
        b'data: {"error":{"message":"no memory"}}\n\ndata: [DONE]\n\n'
    ),
    "a stream of nonsense": Reply(b"data: {oh\n\n"),
    "a tool nobody has": said("", tools=(("weather", "{}"),)),
    "a redirect": Reply(b"", 302),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
def test_what_is_no_answer_becomes_the_fallback_and_no_log_line_tells_a_word(
    serve: Serve, responder: Responder, answer: Reply
) -> None:
    server = serve(answer)
    with capture_logs() as lines:
        assert body(responder(server).respond(utterance())) == FALLBACK
    assert len(server.requests) == 1
    assert "4111" not in repr(lines)
    assert [line["event"] for line in lines] == ["whatsapp.conversation.responder_answer_unusable"]


def test_an_overloaded_server_is_asked_again(serve: Serve, responder: Responder) -> None:
    server = serve(refused(503, "loading"), refused(429, "slow down"), said("Hello!"))
    assert body(responder(server).respond(utterance())) == "Hello!"


def busy(seconds: str) -> Reply:
    return Reply(b'{"error": {"message": "slow down"}}', 429, headers={"Retry-After": seconds})


def test_an_overloaded_server_is_asked_again_when_it_says(serve: Serve, responder: Responder) -> None:
    began = time.monotonic()
    assert body(responder(serve(busy("0.3"), said("Hello!"))).respond(utterance())) == "Hello!"
    assert time.monotonic() - began >= 0.3


def test_a_server_that_says_a_time_beyond_ours_is_not_asked_again(serve: Serve, responder: Responder) -> None:
    server = serve(busy("60"), said("Hello!"))
    assert body(responder(server).respond(utterance())) == FALLBACK
    assert len(server.requests) == 1


def test_a_server_that_is_too_slow_is_left_in_its_time(serve: Serve, responder: Responder) -> None:
    released = threading.Event()
    reply = said("too late")
    reply.before = lambda _: released.wait(20)
    server = serve(reply)
    with capture_logs() as lines:
        assert body(responder(server, seconds=0.3).respond(utterance())) == FALLBACK
    released.set()
    assert [line["reason"] for line in lines] == ["no answer in time"]


def test_after_failures_nobody_is_asked_for_a_while(serve: Serve, responder: Responder) -> None:
    server = serve(refused(500, "no"))
    asks = responder(server, service=CircuitBreaker("the language model", failures=2))
    for _ in range(2):
        assert body(asks.respond(utterance())) == FALLBACK
    count = len(server.requests)
    with pytest.raises(Unavailable):
        asks.respond(utterance())
    assert len(server.requests) == count


def test_the_request_has_prompt_time_turns_question_model_and_key(serve: Serve, responder: Responder) -> None:
    server = serve(said())
    turns = (Turn("user", "Hi"), Turn("assistant", "Hello!"))
    responder(server, api_key="sk-1").respond(utterance("A room?", turns=turns))
    (request,) = server.requests
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["authorization"] == "Bearer sk-1"
    assert (request["model"], request["stream"], request["max_tokens"]) == ("small", False, 1_024)
    assert request["messages"][0]["content"] == "Be kind.\n\nIt is Friday, 15 January 2027, 08:00 UTC."
    assert server.asked() == [("user", "Hi"), ("assistant", "Hello!"), ("user", "A room?")]
    assert [tool["function"]["name"] for tool in request["tools"]] == ["handover"]


def test_the_question_joins_what_the_customer_wrote_just_before(serve: Serve, responder: Responder) -> None:
    server = serve(said())
    turns = (Turn("assistant", "Hello!"), Turn("user", "I need"))
    responder(server).respond(utterance("a room", turns=turns))
    assert server.asked() == [BEGINNING, ("assistant", "Hello!"), ("user", "I need\na room")]


@pytest.mark.parametrize("count", range(1, 5))
def test_turns_alternate_and_begin_with_the_user_s(serve: Serve, responder: Responder, count: int) -> None:
    def strict(request: dict[str, Any]) -> Reply:
        roles = [one["role"] for one in request["messages"]]
        alternate = roles == ["system", *["user", "assistant"] * 4][: len(roles)]
        return said("Hello!") if alternate else refused(400, "Conversation roles must alternate user/assistant/…")

    turns = (Turn("user", "Hi"), Turn("assistant", "Hello!"), Turn("user", "A room"), Turn("assistant", "When?"))
    assert body(responder(serve(strict)).respond(utterance("Today", turns=turns[-count:]))) == "Hello!"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("https://h/api/v1", "https://h/api/v1/chat/completions"),
        ("http://h/openai/chat/completions", "http://h/openai/chat/completions"),
    ],
)
def test_an_address_may_be_the_server_s_or_the_completions_own(url: str, asked: str) -> None:
    assert completions_url(url) == asked


def test_what_a_server_does_not_know_is_left_out_from_then_on(serve: Serve, responder: Responder) -> None:
    def picky(request: dict[str, Any]) -> Reply:
        if "max_tokens" in request:
            return refused(400, "Unsupported parameter: use 'max_completion_tokens' instead.")
        return refused(400, "this model does not support tools") if "tools" in request else said("Hello!")

    server = serve(picky)
    asks = responder(server)
    with capture_logs() as lines:
        assert body(asks.respond(utterance())) == "Hello!"
        assert body(asks.respond(utterance())) == "Hello!"
    assert len(server.requests) == 4
    assert [line["event"] for line in lines] == ["whatsapp.conversation.llm_takes_no_tools"]


def test_a_refusal_for_another_reason_keeps_the_tools(serve: Serve, responder: Responder) -> None:
    too_long = refused(400, "maximum context length is 16385 tokens (16400 in the messages, 100 in the tools)")
    server = serve(too_long, too_long, said("Hello!"))
    asks = responder(server)
    with capture_logs() as lines:
        assert body(asks.respond(utterance())) == FALLBACK
        assert body(asks.respond(utterance())) == "Hello!"
    assert ["tools" in request for request in server.requests] == [True, False, True]
    assert [line["event"] for line in lines] == ["whatsapp.conversation.responder_answer_unusable"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, "tools param requires --jinja flag"),  # llama.cpp
        (404, "No endpoints found that support tool use."),  # OpenRouter
        (422, "Extra inputs are not permitted: tools"),
    ],
)
def test_a_server_may_refuse_tools_with_another_status(
    serve: Serve, responder: Responder, status: int, reason: str
) -> None:
    server = serve(lambda request: refused(status, reason) if "tools" in request else said("Hello!"))
    asks = responder(server)
    assert [body(asks.respond(utterance())) for _ in range(2)] == ["Hello!", "Hello!"]
    assert ["tools" in request for request in server.requests] == [True, False, False]


@pytest.mark.parametrize("status", [400, 500])
def test_a_tool_call_that_failed_costs_no_later_handover(serve: Serve, responder: Responder, status: int) -> None:
    server = serve(refused(status, "Failed to call a function (tool_use_failed)"), said("Hello!"))
    asks = responder(server)
    assert [body(asks.respond(utterance())) for _ in range(2)] == ["Hello!", "Hello!"]
    assert ["tools" in request for request in server.requests] == [True, False, True]


@pytest.mark.parametrize(
    ("answer", "text", "note"),
    [
        (said("A colleague helps.", tools=(("handover", '{"reason": "angry"}'),)), "A colleague helps.", "angry"),
        (
            said(None, tools=(("handover", {"reason": "angry"}),)),
            HANDED_OVER,
            "angry",
        ),
        (
            streamed(*({"tool_calls": [call]} for call in CALLED)),
            HANDED_OVER,
            "angry",
        ),
        (
            streamed({"tool_calls": [whole_call("a", "angry")]}, {"tool_calls": [whole_call("b", "x")]}),
            HANDED_OVER,
            "angry",
        ),
        (streamed({"tool_calls": [whole_call("a", "angry"), whole_call("b", "x")]}), HANDED_OVER, "angry"),
        (said("Moment.", tools=(("handover", "{oh"),)), "Moment.", "The model gave no reason."),
        (
            said('Moment.\n<tool_call>\n{"name": "handover", "arguments": {"reason": "angry"}}\n</tool_call>'),
            "Moment.",
            "angry",
        ),
        (said('<tool_call>{"name": "handover"}'), HANDED_OVER, "The model gave no reason."),
    ],
)
def test_a_handover_is_said_and_pauses_the_bot(
    serve: Serve, responder: Responder, answer: Reply, text: str, note: str
) -> None:
    found = responder(serve(answer), handover_seconds=60).respond(utterance())
    assert (body(found), found.pause_seconds, found.handover) == (text, 60, note)


QUESTIONS = {
    "text": (utterance("A room?"), "A room?"),
    "a picture": (utterance("", kind="image"), "[a message of type image]"),
    "a caption": (utterance("This one?", kind="image"), "This one?\n[a message of type image]"),
    "a voice note": (utterance("A room?", kind="audio"), "A room?"),
    "a button": (utterance("Yes", kind="choice"), "Yes"),
    "a correction": (utterance("for 4", kind="edit"), "[corrects an earlier message:] for 4"),
    "a place": (
        utterance("", kind="location", message={"location": {"latitude": 1.5}}),
        '[a location: {"latitude":1.5}]',
    ),
    "a reaction": (
        utterance("", kind="reaction", message={"reaction": {"message_id": "wamid.B1", "emoji": "👎"}}),
        '[a reaction: "👎"]',
    ),
    "a form": (
        utterance("", kind="flow", message={"interactive": {"nfm_reply": {"response": {"size": "M"}}}}),
        '[flow: {"size":"M"}]',
    ),
    "a product": (
        utterance("Blue?", message={"context": {"referred_product": {"product_retailer_id": "sku"}}}),
        "Blue?\n[about the product sku]",
    ),
    "a long burst": (
        utterance("\n".join(["y" * 4_000] * 2 + ["A room?"])),
        "y" * 3_991 + "\n" + "y" * 4_000 + "\nA room?",
    ),
    "nothing": (utterance(" "), "[an empty message]"),
}


@pytest.mark.parametrize(("asked", "words"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_what_is_no_text_is_put_in_words(asked: Utterance, words: str) -> None:
    assert question_of(asked) == words


@pytest.mark.parametrize("kind", ["revoke", "unsupported"])
def test_what_cannot_be_answered_asks_no_model(serve: Serve, responder: Responder, kind: str) -> None:
    server = serve(said())
    responder(server).respond(utterance("", kind=kind))
    assert server.requests == []


def test_the_prompt_is_the_operator_s_or_the_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("We sell boats.\n")
    assert read_prompt(tmp_path / "prompt.txt") == "We sell boats."
    assert "handover" in read_prompt(None)
    for unusable in (tmp_path / "none", tmp_path):
        with pytest.raises(PromptError, match="WA_LLM_PROMPT_FILE"):
            read_prompt(unusable)


class Worker:
    """A worker whose pipeline calls the model, over the real store."""

    def __init__(self, lanes: Lanes, server: ChatServer, script: Path) -> None:
        pipeline = make_pipeline(
            ConversationOptions(responder="llm", llm_url=server.url, script_file=script, staff_pause=600)
        )
        view = ConversationView(Threads(lanes.store), Contacts(lanes.store, [NUMBER]))
        self._worker = InboundWorker(
            PoliteInbox(lanes.store, retention_seconds=KEEP, staff_pause=600),
            pipeline,
            NO_RECEIPTS,
            no_media,
            consumer="w",
            concurrency=2,
            handle_timeout=20.0,
            reply_ttl_ms=60_000,
            turns=Turns(view, 4),
        )
        self._consuming = gevent.spawn(self._worker.consume)

    def stop(self) -> None:
        self._worker.stop()
        self._consuming.kill()
        self._worker.kill()


@pytest.fixture
def work(lanes: Lanes, tmp_path: Path) -> Iterator[Callable[[ChatServer], Worker]]:
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT)
    workers: list[Worker] = []

    def start(server: ChatServer) -> Worker:
        workers.append(Worker(lanes, server, script))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


Start = Callable[[ChatServer], Worker]
ANSWER = "Answer %d."


def counting() -> Callable[[dict[str, Any]], Reply]:
    """Numbered answers."""
    answers = iter(range(1, 100))
    return lambda _: said(ANSWER % next(answers))


def sent(lanes: Lanes) -> None:
    """Let Meta accept what waits to be sent."""
    while grants := lanes.grant():
        lanes.outbox.done(NUMBER, grants[0], SendOutcome("accepted", wamid=f"wamid.O{grants[0].id}"))


def rest(lanes: Lanes) -> None:
    gevent_until(lambda: not lanes.store.do("EXISTS", f"{PREFIX}due"))
    sent(lanes)


def test_the_model_is_reminded_of_the_last_turns_of_both_sides(lanes: Lanes, serve: Serve, work: Start) -> None:
    server = serve(counting())
    work(server)
    for n in range(4):
        lanes.admit(message(text=f"Question {n}", id=f"w{n}"))
        rest(lanes)
    assert server.asked(0) == [("user", "Question 0")]
    assert server.asked(1) == [("user", "Question 0"), ("assistant", "Answer 1."), ("user", "Question 1")]
    assert [text for _, text in server.asked(3)] == ["Question 1", "Answer 2.", "Question 2", "Answer 3.", "Question 3"]


def test_the_model_is_reminded_of_its_answer_to_a_message_just_before(lanes: Lanes, serve: Serve, work: Start) -> None:
    server = serve(counting())
    lanes.admit(*(message(text=f"Question {n}", id=f"w{n}") for n in range(3)))
    work(server)
    rest(lanes)
    assert server.asked(1) == [("user", "Question 0"), ("assistant", "Answer 1."), ("user", "Question 1")]
    assert [text for _, text in server.asked(2)] == ["Question 0", "Answer 1.", "Question 1", "Answer 2.", "Question 2"]


def test_the_model_is_reminded_of_nothing_that_was_taken_back_changed_or_never_arrived(
    lanes: Lanes, serve: Serve, work: Start
) -> None:
    server = serve(counting())
    work(server)
    lanes.admit(message(text=SECRET_WORDS, id="w0"))
    gevent_until(lambda: bodies(lanes))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("failed", error={"reason": "request", "code": 100}))
    lanes.admit(revoke("rv", "w0"), message(text="for tow", id="w1"))
    rest(lanes)
    lanes.admit(edit("e1", "w1", "for two"))
    rest(lanes)
    lanes.admit(message(text="Well?", id="w2"))
    rest(lanes)
    assert "4111" not in json.dumps(server.requests[1:])
    assert server.asked() == [
        BEGINNING,
        ("assistant", "Answer 2."),
        ("user", "for two"),
        ("assistant", "Answer 3."),
        ("user", "Well?"),
    ]


def test_a_handover_is_told_and_the_bot_stays_quiet(lanes: Lanes, serve: Serve, work: Start) -> None:
    server = serve(said("A colleague helps.", tools=(("handover", '{"reason": "wants a refund"}'),)))
    work(server)
    lanes.admit(message(text="refund!", id="w0"))
    rest(lanes)
    lanes.admit(message(text="hello?", id="w1"))
    rest(lanes)
    assert len(server.requests) == 1
    events = Events(lanes.store, retention_seconds=KEEP).after("", 100)
    (told,) = [event_item(entry) for entry in events if entry.kind == "pause"]
    assert (told["data"]["reason"], told["data"]["note"]) == ("handover", "wants a refund")


def test_who_was_erased_is_not_remembered(lanes: Lanes, store: Store, serve: Serve, work: Start) -> None:
    server = serve(counting())
    work(server)
    lanes.admit(message(text=SECRET_WORDS, id="w0"))
    rest(lanes)
    Contacts(store, [NUMBER], retention_seconds=KEEP).forget("15551230001")
    lanes.admit(message(text="Hello", id="w1"))
    rest(lanes)
    assert server.asked() == [("user", "Hello")]
