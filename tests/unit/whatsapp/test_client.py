"""The client: what it POSTs, what it returns, and what it refuses to send."""

from __future__ import annotations

import copy
import io
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from requests_mock import Mocker

from tests.unit.whatsapp.conftest import LocalMeta
from wa_service.whatsapp import (
    MediaNotFoundError,
    MediaTooLargeError,
    Sent,
    UnsupportedMediaError,
    WhatsAppMetaClient,
    WhatsAppOutcomeUnknownError,
    parse_message,
)
from wa_service.whatsapp.media.uploads import open_upload
from wa_service.whatsapp.outbound.messages import parse_reply

META = "https://graph.facebook.com/v23.0"
TO = "15551234567"
ACCEPTED = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": "+15551234567", "wa_id": "15551234567", "user_id": "US.13491208655302741918"}],
    "messages": [{"id": "wamid.X", "message_status": "accepted"}],
}


@pytest.fixture
def client() -> Any:
    return WhatsAppMetaClient("EAAtoken0123456789", "106", api_version="v23.0", business_account_id="102")


@pytest.fixture
def messages(requests_mock: Mocker) -> Any:
    return requests_mock.post(f"{META}/106/messages", json=ACCEPTED)


def test_an_accepted_message(client: WhatsAppMetaClient, messages: Any) -> None:
    payload = parse_message({"to": TO, "text": "hi"}).payload()
    assert client.send(payload) == Sent(
        "wamid.X", "15551234567", "US.13491208655302741918", "+15551234567", "accepted", ACCEPTED
    )
    assert messages.last_request.json() == payload


@pytest.mark.parametrize(
    "answer", [{}, {"messages": []}, {"messages": [{}]}, {"messages": [{"id": 7}]}, {"messages": 7}]
)
def test_a_200_without_message_id_is_an_unknown_outcome(
    client: WhatsAppMetaClient, requests_mock: Mocker, answer: Any
) -> None:
    requests_mock.post(f"{META}/106/messages", json=answer)
    with pytest.raises(WhatsAppOutcomeUnknownError):
        client.send({})


@pytest.mark.parametrize("contacts", [None, [], [7], [{"input": "US.1", "wa_id": "", "user_id": "US.1"}], "x"])
def test_an_answer_without_number_is_fine(client: WhatsAppMetaClient, requests_mock: Mocker, contacts: Any) -> None:
    requests_mock.post(f"{META}/106/messages", json={**ACCEPTED, "contacts": contacts})
    assert client.send({}).wa_id == ""


def test_another_number_of_ours_may_send(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    other = requests_mock.post(f"{META}/107/messages", json=ACCEPTED)
    client.send({}, phone_number_id="107")
    assert other.called


@pytest.mark.parametrize("number", ["../evil", "1/2", "..", "1?x=1"])
def test_a_number_id_leads_nowhere_else(client: WhatsAppMetaClient, number: Any) -> None:
    with pytest.raises(ValueError, match="phone number id"):
        client.send({}, phone_number_id=number)


def test_a_text(client: WhatsAppMetaClient, messages: Any) -> None:
    client.send_message(to="+1 555 123 4567", text="hi", reply_to="wamid.Y")
    assert messages.last_request.json() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": TO,
        "type": "text",
        "text": {"body": "hi"},
        "context": {"message_id": "wamid.Y"},
    }


@pytest.mark.parametrize(
    "message", [parse_reply({"text": "hi"}), {"text": "hi"}, {"type": "text", "text": {"body": "hi"}}]
)
def test_any_message_to_an_address(client: WhatsAppMetaClient, messages: Any, message: Any) -> None:
    client.send_message(to="US.13491208655302741918", message=message)
    body = messages.last_request.json()
    assert (body["recipient"], body["text"]) == ("US.13491208655302741918", {"body": "hi"})


@pytest.mark.parametrize("message", [parse_message({"to": TO, "text": "hi"}), {"to": TO, "text": "hi"}])
def test_a_message_that_knows_its_address(client: WhatsAppMetaClient, messages: Any, message: Any) -> None:
    client.send_message(message=message)
    assert messages.last_request.json()["to"] == TO


@pytest.mark.parametrize("to", [TO, ""])
@pytest.mark.parametrize(
    "message",
    [
        parse_message({"to": TO, "text": "hi"}),
        {"to": TO, "text": "hi"},
        {"to": TO, "text": "hi", "context": {"message_id": "wamid.Y"}},
        {"to": TO, "image": {"id": "1"}},
        {"to": TO, "type": "new", "new": {}},
    ],
)
def test_any_message_may_be_a_reply(client: WhatsAppMetaClient, messages: Any, message: Any, to: str) -> None:
    before = copy.deepcopy(message)
    client.send_message(to=to, message=message, reply_to="wamid.Y")
    assert messages.last_request.json()["context"] == {"message_id": "wamid.Y"}
    assert message == before


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"text": "hi", "message": {"text": "hello"}}, "Give either text or message."),
        (
            {"message": {"text": "hi", "context": {"message_id": "wamid.X"}}, "reply_to": "wamid.Y"},
            "The message has a context, which reply_to contradicts.",
        ),
        (
            {"message": {"reaction": {"message_id": "wamid.X", "emoji": ""}}, "reply_to": "wamid.Y"},
            "A reaction names its message itself and takes no context.",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    client: WhatsAppMetaClient, messages: Any, call: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        client.send_message(to=TO, **call)
    assert not messages.called


@pytest.mark.parametrize("call", [{"text": "hi"}, {"to": TO}, {"to": "12", "text": "hi"}, {"message": {"text": "hi"}}])
def test_what_meta_would_refuse_is_not_sent(client: WhatsAppMetaClient, messages: Any, call: Any) -> None:
    with pytest.raises(ValidationError):
        client.send_message(**call)
    assert not messages.called


def test_a_template_with_values(client: WhatsAppMetaClient, messages: Any) -> None:
    client.send_template_message(
        to=TO, name="order_update", language="en_GB", header="A-77", body=["Ana"], buttons=["x"]
    )
    template = messages.last_request.json()["template"]
    assert template["language"] == {"code": "en_GB"}
    assert [component["type"] for component in template["components"]] == ["header", "body", "button"]


def test_a_one_time_code(client: WhatsAppMetaClient, messages: Any) -> None:
    client.send_template_message(to=TO, name="otp", language="en", one_time_code="482913")
    components = messages.last_request.json()["template"]["components"]
    assert [component["parameters"][0]["text"] for component in components] == ["482913", "482913"]


def test_a_template_with_raw_components(client: WhatsAppMetaClient, messages: Any) -> None:
    raw = [{"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}]
    client.send_template_message(to=TO, name="order_update", components=raw)
    assert messages.last_request.json()["template"]["components"] == raw


def test_a_template_s_footer_is_refused(client: WhatsAppMetaClient, messages: Any) -> None:
    with pytest.raises(ValidationError, match="footer takes no parameters"):
        client.send_template_message(to=TO, name="order_update", footer="x")
    assert not messages.called


def test_a_read_mark_with_typing(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    mark = requests_mock.post(f"{META}/106/messages", json={"success": True})
    client.mark_as_read("wamid.X", typing=True)
    assert mark.last_request.json() == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.X",
        "typing_indicator": {"type": "text"},
    }


@pytest.fixture
def uploads(requests_mock: Mocker) -> Any:
    taken = []

    def take(request: Any, context: Any) -> Any:
        body = request.body if isinstance(request.body, bytes) else b"".join(request.body)
        taken.append((request.headers, body))
        return {"id": "77"}

    requests_mock.post(f"{META}/106/media", json=take)
    return taken


PNG = b"\x89PNG picture"


@pytest.mark.parametrize("kind", ["bytes", "path", "text path", "stream", "stream that cannot seek"])
def test_a_file_of_any_kind_is_uploaded(client: WhatsAppMetaClient, uploads: Any, tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    class Once(io.BytesIO):
        def seekable(self) -> Any:
            return False

    files: dict[str, Any] = {
        "bytes": PNG,
        "path": path,
        "text path": str(path),
        "stream": io.BytesIO(PNG),
        "stream that cannot seek": Once(PNG),
    }
    assert client.upload_media(files[kind], mime_type="image/png") == "77"
    ((headers, body),) = uploads
    assert int(headers["Content-Length"]) == len(body)
    assert PNG in body
    assert b'name="messaging_product"\r\n\r\nwhatsapp\r\n' in body
    assert b"Content-Type: image/png\r\n" in body


def test_a_real_server_gets_a_whole_form(local_meta: LocalMeta) -> None:
    local_meta.answers = lambda _: (200, {}, b'{"id":"77"}')
    client = WhatsAppMetaClient("EAAtoken", "106", base_url=local_meta.url)
    assert client.upload_media(PNG * 20_000, mime_type="image/png") == "77"
    (request,) = local_meta.requests
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    assert request.body.endswith(b"--" + boundary + b"--\r\n")
    assert PNG * 20_000 in request.body
    assert "Transfer-Encoding" not in request.headers


@pytest.mark.parametrize(
    ("filename", "mime_type"),
    [("note.ogg", "audio/ogg"), ("a.JPG", "image/jpeg"), ("a.m4a", "audio/mp4"), ("a.pdf", "application/pdf")],
)
def test_the_name_tells_the_type(client: WhatsAppMetaClient, uploads: Any, filename: Any, mime_type: str) -> None:
    client.upload_media(b"x", filename=filename)
    assert f"Content-Type: {mime_type}\r\n".encode() in uploads[0][1]


def test_a_name_cannot_break_out_of_the_form(client: WhatsAppMetaClient, uploads: Any) -> None:
    client.upload_media(b"x", filename='a".png\r\nX-Evil: 1', mime_type="image/png")
    assert b"\r\nX-Evil" not in uploads[0][1]


@pytest.mark.parametrize(
    ("content", "mime_type", "error"),
    [
        (b"x", "application/zip", UnsupportedMediaError),
        (b"x", "audio/wav", UnsupportedMediaError),
        (b"x", "", UnsupportedMediaError),
        (b"", "image/png", UnsupportedMediaError),
        (b"x" * (5 * 1024 * 1024 + 1), "image/jpeg", MediaTooLargeError),
        (b"x" * (500 * 1024 + 1), "image/webp", MediaTooLargeError),
    ],
)
def test_a_file_that_meta_would_refuse_is_not_uploaded(
    client: WhatsAppMetaClient, uploads: Any, content: Any, mime_type: str, error: Any
) -> None:
    with pytest.raises(error):
        client.upload_media(content, mime_type=mime_type)
    assert uploads == []


@pytest.mark.parametrize(
    ("label", "mime_type"),
    [
        ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"),
        ("image/jpg", "image/jpeg"),
        ("IMAGE/JPG", "image/jpeg"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/m4a", "audio/mp4"),
        ("audio/x-m4a; codecs=mp4a.40.2", "audio/mp4; codecs=mp4a.40.2"),
        ("audio/x-aac", "audio/aac"),
        ("video/3gp", "video/3gpp"),
    ],
)
def test_a_type_is_sent_under_the_name_that_meta_knows(
    client: WhatsAppMetaClient, uploads: Any, label: str, mime_type: str
) -> None:
    assert client.upload_media(b"x", mime_type=label) == "77"
    assert f'name="type"\r\n\r\n{mime_type}\r\n'.encode() in uploads[0][1]
    assert f"Content-Type: {mime_type}\r\n".encode() in uploads[0][1]


def test_the_file_is_closed_and_a_stream_of_the_caller_s_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    ours, theirs = open_upload(path), open_upload(io.BytesIO(PNG), mime_type="image/png")
    ours.close()
    theirs.close()
    assert (ours.stream.closed, theirs.stream.closed) == (True, False)


def test_a_stream_is_sent_from_where_it_stands() -> None:
    stream = io.BytesIO(b"skip" + PNG)
    stream.seek(4)
    assert open_upload(stream, mime_type="image/png").size == len(PNG)


@pytest.mark.parametrize("answer", [{"json": {}}, {"json": {"id": True}}, {"status_code": 502}, {"exc": OSError}])
def test_an_upload_without_id_in_the_answer_is_unknown_and_may_be_repeated(
    client: WhatsAppMetaClient, requests_mock: Mocker, answer: dict[str, Any]
) -> None:
    requests_mock.post(f"{META}/106/media", **answer)
    with pytest.raises(WhatsAppOutcomeUnknownError) as caught:
        client.upload_media(PNG, mime_type="image/png")
    assert (caught.value.retryable, caught.value.advice) == (True, "Upload the file again: no message was sent.")


def test_an_uploaded_file_whose_id_is_a_number(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.post(f"{META}/106/media", json={"id": 1234567890})
    assert client.upload_media(PNG, mime_type="image/png") == "1234567890"


def test_what_meta_knows_of_a_file(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/77", json={"url": "https://lookaside.fbsbx.com/x", "mime_type": "image/png"})
    info = client.get_media("77")
    assert (info.mime_type, info.size, info.kind) == ("image/png", None, "image")


def test_deleting_a_file(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/77", json={"url": "https://lookaside.fbsbx.com/x", "mime_type": "image/png"})
    deleted = requests_mock.delete(f"{META}/77", json={"success": True})
    client.delete_media("77", phone_number_id="106")
    assert deleted.last_request.qs == {"phone_number_id": ["106"]}


def test_only_a_file_is_deleted(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    """Meta would delete any object with the id: an account, a template, a number."""
    requests_mock.get(f"{META}/200", json={"id": "200", "name": "The business account"})
    deleted = requests_mock.delete(f"{META}/200", json={"success": True})

    with pytest.raises(MediaNotFoundError):
        client.delete_media("200")

    assert not deleted.called


def test_deleting_what_is_gone(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    gone = {"error": {"code": 100, "error_subcode": 33, "message": "x"}}
    requests_mock.get(f"{META}/77", json=gone, status_code=400)
    with pytest.raises(MediaNotFoundError):
        client.delete_media("77")


def test_the_token_shows_in_no_repr(client: WhatsAppMetaClient) -> None:
    assert "EAAtoken" not in repr(client)


def test_what_was_sent_shows_no_number(client: WhatsAppMetaClient, messages: Any) -> None:
    assert TO not in repr(client.send_message(to=TO, text="hi"))


def test_one_client_serves_many_threads(local_meta: LocalMeta) -> None:
    local_meta.answers = lambda request: (200, {}, b'{"messages":[{"id":"%s"}]}' % request.body[-12:-2].hex().encode())
    client = WhatsAppMetaClient("EAAtoken", "106", base_url=local_meta.url, pool_size=20)
    got = {}

    def send(number: Any) -> None:
        got[number] = client.send({"n": f"{number:010d}"}).wamid

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert got == {number: f"{number:010d}".encode().hex() for number in range(20)}
