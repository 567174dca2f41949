"""A tool that answers over a real socket: signed, repeated, slow, broken."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from tests.received_request import receive_request
from wa_service.conversation.http_responder import HttpResponder
from wa_service.conversation.responder import ResponderAnswer, ScriptResponder
from wa_service.conversation.script import load_script
from wa_service.conversation.utterance import Utterance
from wa_service.resilience.breaker import CircuitBreaker, Unavailable
from wa_service.resilience.http import HttpCaller

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
FALLBACK = ({"type": "text", "text": {"body": "Fallback."}},)
HELLO = {"type": "text", "text": {"body": "Hello from the tool."}}


def utterance(**others: Any) -> Utterance:
    given: dict[str, Any] = {
        "id": "wamid.A1",
        "conversation": "c1",
        "phone_number_id": "106540352242922",
        "timestamp": 1_750_000_000,
        "name": "Ana",
        "text": "hi",
        "intent": "",
        "kind": "text",
        "message": {"id": "wamid.A1", "type": "text", "text": {"body": "hi"}},
        "contact": {"window": 1},
        **others,
    }
    return Utterance(**given)


class Tool:
    """A tool with a list of answers (status, body); the last one repeats."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.bodies.append(body)
        headers = {
            key[5:].lower().replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")
        }
        self.requests.append((headers, json.loads(body)))
        status, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        start_response(f"{status} Said", [("Location", "http://127.0.0.1:1/")])
        return [said if isinstance(said, bytes) else json.dumps(said).encode()]


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    servers = []

    def serve(app: Any) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/answer"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptResponder:
    path = tmp_path / "script.yaml"
    path.write_text('fallback: {reply: [{text: "Fallback."}]}\n')
    return ScriptResponder(load_script(path))


@pytest.fixture
def responder(scripted: ScriptResponder) -> Callable[..., HttpResponder]:
    def make(url: str, **others: Any) -> HttpResponder:
        return HttpResponder(url, SECRET, scripted, pause_seconds=0.01, **others)

    return make


Responder = Callable[..., HttpResponder]
Serve = Callable[[Any], str]


def test_the_tools_messages_are_the_reply(serve: Serve, responder: Responder) -> None:
    url = serve(Tool((200, {"messages": [HELLO]})))

    assert responder(url).respond(utterance()).replies == (HELLO,)


def test_a_short_form_is_written_out(serve: Serve, responder: Responder) -> None:
    url = serve(Tool((200, {"messages": [{"text": "Hello from the tool."}]})))

    assert responder(url).respond(utterance()).replies == (HELLO,)


def test_204_is_silence(serve: Serve, responder: Responder) -> None:
    assert responder(serve(Tool((204, b"")))).respond(utterance()).replies == ()


def test_the_tool_is_told_the_message_its_transcript_and_its_intent(serve: Serve, responder: Responder) -> None:
    tool = Tool((204, b""))
    asked = utterance(intent="breakfast", transcript="what time is breakfast", confidence=0.9)

    responder(serve(tool)).respond(asked)

    ((_, body),) = tool.requests
    assert body["message"] == {"id": "wamid.A1", "type": "text", "text": {"body": "hi"}}
    assert (body["id"], body["conversation"], body["name"]) == ("wamid.A1", "c1", "Ana")
    assert (body["transcript"], body["confidence"], body["intent"]) == ("what time is breakfast", 0.9, "breakfast")


def test_id_time_and_body_are_signed(serve: Serve, responder: Responder) -> None:
    tool = Tool((204, b""))

    responder(serve(tool), clock=lambda: 1_750_000_000.9).respond(utterance())

    ((headers, _),) = tool.requests
    signed = f"{headers['webhook-id']}.1750000000.".encode() + tool.bodies[0]
    by_hand = hmac.digest(bytes(32), signed, "sha256")
    assert headers["webhook-timestamp"] == "1750000000"
    assert headers["webhook-signature"] == "v1," + base64.b64encode(by_hand).decode()


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_" + "A" * 100])
def test_a_secret_that_is_no_secret_is_refused_without_being_shown(scripted: ScriptResponder, secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes") as caught:
        HttpResponder("http://127.0.0.1:1/", secret, scripted)

    assert not secret or secret not in str(caught.value)


def test_a_failing_tool_is_asked_again_under_the_same_id(serve: Serve, responder: Responder) -> None:
    tool = Tool((503, b""), (200, {"messages": [HELLO]}))

    assert responder(serve(tool)).respond(utterance()).replies == (HELLO,)
    first, second = (headers["webhook-id"] for headers, _ in tool.requests)
    assert first == second


def test_the_same_message_has_the_same_id_later_and_other_content_has_another(
    serve: Serve, responder: Responder
) -> None:
    tool = Tool((204, b""))
    asking = responder(serve(tool))
    one, two = {"id": "wamid.A1", "text": {"body": "for 2"}}, {"id": "wamid.A2", "text": {"body": "please"}}
    edited = {"id": "wamid.A1", "text": {"body": "for 4"}}
    for messages in ((one, two), (one, two), (one,), (edited,)):
        asking.respond(utterance(messages=messages, contact={"window_end": len(tool.requests)}))

    ids = [headers["webhook-id"] for headers, _ in tool.requests]
    assert {body["id"] for _, body in tool.requests} == {"wamid.A1"}
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(request_id.startswith("wamid.A1.") for request_id in ids)


def test_a_tool_that_keeps_failing_gives_way_to_the_scripts_fallback(serve: Serve, responder: Responder) -> None:
    tool = Tool((500, b""))

    assert responder(serve(tool)).respond(utterance()).replies == FALLBACK
    assert len(tool.requests) == 3


@pytest.mark.parametrize("kind", ["edit", "revoke", "reaction"])
@pytest.mark.parametrize("answer", [(500, b""), (200, b"<html>")])
def test_a_change_or_reaction_gets_no_fallback(
    serve: Serve, responder: Responder, kind: str, answer: tuple[int, Any]
) -> None:
    tool = Tool(answer)

    assert responder(serve(tool)).respond(utterance(kind=kind, text="" if kind == "revoke" else "👍")).replies == ()
    assert tool.requests


def test_a_tool_that_refuses_is_not_asked_again(serve: Serve, responder: Responder) -> None:
    tool = Tool((401, b""))

    assert responder(serve(tool)).respond(utterance()).replies == FALLBACK
    assert len(tool.requests) == 1


def test_the_tool_is_told_the_choice_and_every_message_of_a_burst(serve: Serve, responder: Responder) -> None:
    tool = Tool((204, b""))
    messages = ({"id": "wamid.A1"}, {"id": "wamid.A2"})

    responder(serve(tool)).respond(utterance(kind="choice", choice="btn-1", messages=messages))

    ((_, body),) = tool.requests
    assert (body["kind"], body["choice"]) == ("choice", "btn-1")
    assert [message["id"] for message in body["messages"]] == ["wamid.A1", "wamid.A2"]


def test_a_tool_may_pause_and_leave_unread(serve: Serve, responder: Responder) -> None:
    answer = responder(serve(Tool((200, {"pause": 600, "mark_read": False})))).respond(utterance())

    assert answer == ResponderAnswer(pause_seconds=600.0, mark_read=False)


@pytest.mark.parametrize("said", [{"mark_read": True}, {"mark_read": False}, {"pause": None}, {"messages": []}])
def test_any_one_of_the_fields_is_an_answer(serve: Serve, responder: Responder, said: dict[str, Any]) -> None:
    answer = responder(serve(Tool((200, said)))).respond(utterance())

    assert answer == ResponderAnswer(mark_read=said.get("mark_read", True))


def test_half_an_emoji_costs_no_answer(serve: Serve, responder: Responder) -> None:
    said = b'{"messages": [{"text": "See you \\ud83d"}]}'  # as JavaScript writes a text that was cut

    (reply,) = responder(serve(Tool((200, said)))).respond(utterance()).replies

    assert reply["text"]["body"] == "See you \ufffd"


OUTCOMES = {
    "answered": (200, {"messages": [HELLO]}),
    "silent": (204, b""),
    "unusable": (200, b"<html>"),
    "failed": (500, b""),
}


@pytest.mark.parametrize(("outcome", "said"), OUTCOMES.items())
def test_how_each_question_ended_is_counted(serve: Serve, responder: Responder, outcome: str, said: Any) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("whatsapp_responder_total", {"outcome": outcome}) or 0.0

    before = counted()

    responder(serve(Tool(said))).respond(utterance())

    assert counted() == before + 1


UNUSABLE = {
    "a pause that is none": {"messages": [], "pause": "long"},
    "a mark that is none": {"messages": [], "mark_read": 1},
    "no JSON": b"<html>",
    "no messages": {"text": "hello"},
    "no list": {"messages": HELLO},
    "a message with an address": {"messages": [{**HELLO, "to": "5511999990000"}]},
    "a message with a mark of ours": {"messages": [{**HELLO, "biz_opaque_callback_data": "x"}]},
    "a message that is none": {"messages": ["hello"]},
    "a message that Meta would refuse": {"messages": [{"type": "text", "text": {"body": ""}}]},
    "eleven messages": {"messages": [HELLO] * 11},
    "a huge answer": {"messages": [HELLO], "more": "x" * 1_100_000},
}


@pytest.mark.parametrize("said", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_answer_that_cannot_be_used_gives_way_to_the_fallback(serve: Serve, responder: Responder, said: Any) -> None:
    assert responder(serve(Tool((200, said)))).respond(utterance()).replies == FALLBACK


def test_what_went_wrong_is_told_without_a_word_of_the_customers(serve: Serve, responder: Responder) -> None:
    url = serve(Tool((200, {"messages": [{"type": "text", "text": {"body": 7}}]})))

    with capture_logs() as lines:
        responder(url).respond(utterance(text="my secret"))

    assert "secret" not in str(lines)
    assert "wamid" not in str(lines)
    assert len(lines) == 1


def test_a_redirect_is_not_followed(serve: Serve, responder: Responder) -> None:
    tool = Tool((302, b""))

    assert responder(serve(tool)).respond(utterance()).replies == FALLBACK
    assert len(tool.requests) == 1


def test_nobody_there_gives_way_to_the_fallback(responder: Responder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert responder(f"http://127.0.0.1:{port}/").respond(utterance()).replies == FALLBACK


def drip(server: socket.socket, stop: threading.Event) -> None:
    """Respond one byte at a time, for ever: each byte restarts the read timeout of requests."""
    connection, _ = server.accept()
    with connection:
        receive_request(connection)
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000:
                connection.sendall(bytes([byte]))
                if stop.wait(0.05):
                    return
        except OSError:
            return


def test_a_tool_that_drips_is_left_at_the_deadline(responder: Responder) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=(server, stop), daemon=True)
        dripping.start()
        began = time.monotonic()
        replies = responder(f"http://127.0.0.1:{server.getsockname()[1]}/", seconds=0.5).respond(utterance()).replies
        took = time.monotonic() - began
        stop.set()
        dripping.join(5)

    assert replies == FALLBACK
    assert took < 30  # the whole response would take fifty


def test_after_many_failures_the_worker_is_told_to_wait(serve: Serve, responder: Responder) -> None:
    service = CircuitBreaker("the responder", failures=2, pause=30.0)
    tool = Tool((500, b""))
    asking = responder(serve(tool), service=service)
    asking.respond(utterance())
    asking.respond(utterance())
    asked = len(tool.requests)

    with pytest.raises(Unavailable) as caught:
        asking.respond(utterance())

    assert 0 < caught.value.retry_after <= 30.0
    assert len(tool.requests) == asked


def test_a_refusal_is_no_sign_that_the_tool_is_away(serve: Serve, responder: Responder) -> None:
    asking = responder(serve(Tool((400, b""))), service=CircuitBreaker("x", failures=1))

    asking.respond(utterance())

    assert asking.respond(utterance()).replies == FALLBACK


def test_the_environments_proxy_is_not_used() -> None:
    assert HttpCaller()._session.trust_env is False


GREEN = """
    from gevent import monkey; monkey.patch_all()
    import sys, time
    sys.path[:0] = [{root!r}]
    import gevent
    from wa_service.resilience.http import HttpCaller, HttpCallError
    ticks = []
    def tick():
        while True:
            ticks.append(1)
            gevent.sleep(0.01)
    gevent.spawn(tick)
    began = time.monotonic()
    try:
        HttpCaller().post({url!r}, seconds=0.5, headers={{}}, data=b"x")
    except HttpCallError as error:
        print(error, time.monotonic() - began < 15, len(ticks) > 5)
"""


def test_under_gevent_the_deadline_holds_and_other_greenlets_go_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        program = textwrap.dedent(GREEN).format(root=str(Path(__file__).parents[2]), url=url)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert done.stdout == "no answer in time True True\n", done.stderr


@pytest.fixture
def example(serve: Serve) -> str:
    from importlib.util import module_from_spec, spec_from_file_location

    path = Path(__file__).parents[2] / "examples" / "responder.py"
    spec = spec_from_file_location("example_responder", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return serve(module.create_app(SECRET))


def test_the_example_books_a_table_in_two_steps(example: str, responder: Responder) -> None:
    asking = responder(example)

    (question,) = asking.respond(utterance(id="wamid.1", text="A table, please")).replies
    (button, _) = question["interactive"]["action"]["buttons"]
    booked = asking.respond(utterance(id="wamid.2", kind="choice", text="Two", choice=button["reply"]["id"])).replies

    assert [reply["type"] for reply in booked] == ["text", "image"]
    assert booked[0]["text"]["body"] == "Booked for 2. See you tonight, Ana!"


def test_the_example_answers_a_repetition_without_booking_twice(example: str, responder: Responder) -> None:
    asking = responder(example)
    asking.respond(utterance(id="wamid.1", text="A table, please"))
    booked = asking.respond(utterance(id="wamid.2", text="4 people"))

    assert asking.respond(utterance(id="wamid.2", text="4 people")) == booked


def test_the_example_answers_an_edited_message_anew(example: str, responder: Responder) -> None:
    asking = responder(example)
    asking.respond(utterance(text="A table, please", messages=({"text": {"body": "A table, please"}},)))
    edited = utterance(text="a person, please", messages=({"text": {"body": "a person, please"}},))

    assert asking.respond(edited).pause_seconds == 1800.0


def test_the_example_hands_over_to_a_person(example: str, responder: Responder) -> None:
    answer = responder(example).respond(utterance(text="a person, please"))

    assert (answer.pause_seconds, answer.mark_read) == (1800.0, False)


def test_the_example_refuses_a_wrong_signature(example: str, scripted: ScriptResponder) -> None:
    other = "whsec_" + base64.b64encode(bytes(range(32))).decode()

    assert HttpResponder(example, other, scripted).respond(utterance()).replies == FALLBACK
