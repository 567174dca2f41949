"""Files in the console: shown or downloaded by type, or a sentence if the file is not available."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests_mock
from itsdangerous import TimestampSigner

from tests.unit.web.conftest import Web
from tests.unit.web.console import ConsoleUser, text_of
from tests.unit.web.deliveries import CUSTOMER, delivery, text_message, value_of
from wa_service.web.media_routes import part_of

GRAPH = re.compile(r"https://graph\.facebook\.com/")
BYTES = b"\x89PNG what a customer sent"


@pytest.fixture
def meta() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as meta:
        yield meta


@pytest.fixture
def user(web: Web) -> ConsoleUser:
    return ConsoleUser(web, "reader")


def keeps(meta: requests_mock.Mocker, mime_type: str, content: bytes = BYTES) -> None:
    """Register the file 123 at Meta."""
    url = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=123"
    facts = {
        "id": "123",
        "mime_type": mime_type,
        "file_size": len(content),
        "url": url,
        "messaging_product": "whatsapp",
    }
    meta.get(re.compile("/123"), json=facts)
    meta.get(url, content=content, headers={"Content-Type": mime_type})


def sends(web: Web, type_: str, at: int | None = None, **media: Any) -> None:
    """Deliver a file that the customer sent."""
    message = text_message("wamid.FILE") | {"type": type_, type_: {"id": "123", **media}}
    del message["text"]
    if at is not None:
        message["timestamp"] = str(at)
    assert web.webhook(delivery(value_of(messages=[message]))).status_code == 200


def file_of(user: ConsoleUser) -> str:
    """Return the path of the conversation's only file."""
    (found,) = set(re.findall(r'href="/console(/messages/[^"]+/file)"', user.page(user.find(CUSTOMER))))
    return str(found)


@pytest.mark.parametrize(
    ("type_", "mime_type", "element"),
    [
        ("image", "image/jpeg", "<img src="),
        ("sticker", "image/webp", "<img src="),
        ("audio", "audio/ogg; codecs=opus", "<audio src="),
        ("video", "video/mp4", "<video src="),
    ],
)
def test_pictures_sounds_and_films_are_shown(
    web: Web, user: ConsoleUser, meta: requests_mock.Mocker, type_: str, mime_type: str, element: str
) -> None:
    keeps(meta, mime_type)
    sends(web, type_, mime_type=mime_type)
    page = user.page(user.find(CUSTOMER))
    answer = user.get(file_of(user))
    assert f'{element}"/console{file_of(user)}"' in page
    assert (answer.status_code, answer.data, answer.headers["Content-Type"]) == (200, BYTES, mime_type)
    assert answer.headers["Content-Disposition"].startswith("inline;")
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-", BYTES),
        ("bytes=4-9", BYTES[4:10]),
        ("bytes=20-900", BYTES[20:]),
        ("bytes=-5", BYTES[-5:]),
    ],
)
def test_a_part_is_passed_on_so_that_a_player_knows_the_length_and_can_wind(
    web: Web, user: ConsoleUser, meta: requests_mock.Mocker, wanted: str, part: bytes
) -> None:
    keeps(meta, "audio/ogg")
    sends(web, "audio", mime_type="audio/ogg")
    answer = user.get(file_of(user), headers={"Range": wanted})
    start = BYTES.index(part)
    told = f"bytes {start}-{start + len(part) - 1}/{len(BYTES)}"
    assert (answer.status_code, answer.data, answer.headers["Content-Range"]) == (206, part, told)
    assert answer.headers["Content-Length"] == str(len(part))


@pytest.mark.parametrize("wanted", ["bytes=900-", "bytes=0-1,3-4", "lines=0-1", "nonsense"])
def test_a_part_that_is_not_there_is_answered_with_the_whole(
    web: Web, user: ConsoleUser, meta: requests_mock.Mocker, wanted: str
) -> None:
    keeps(meta, "audio/ogg")
    sends(web, "audio", mime_type="audio/ogg")
    answer = user.get(file_of(user), headers={"Range": wanted})
    assert (answer.status_code, answer.data) == (200, BYTES)


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (0, 12), (3, 8), (4, 8), (6, 7), (9, 12)])
def test_a_part_may_begin_and_end_in_any_piece(start: int, stop: int) -> None:
    pieces = iter([b"abcd", b"efgh", b"ijkl", b"mnop"])
    assert b"".join(part_of(pieces, start, stop)) == b"abcdefghijklmnop"[start:stop]


@pytest.mark.parametrize(
    ("type_", "mime_type"),
    [("document", "application/pdf"), ("document", "text/html"), ("image", "image/svg+xml"), ("image", "text/html")],
)
def test_all_else_is_saved_whatever_it_calls_itself(
    web: Web, user: ConsoleUser, meta: requests_mock.Mocker, type_: str, mime_type: str
) -> None:
    keeps(meta, mime_type, b"<script>alert(1)</script>")
    sends(web, type_, mime_type=mime_type, filename="x.html")
    answer = user.get(file_of(user))
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_what_meta_no_longer_has_is_told(web: Web, user: ConsoleUser, meta: requests_mock.Mocker) -> None:
    error = {"error": {"code": 100, "error_subcode": 33, "message": "Unsupported get request."}}
    meta.get(requests_mock.ANY, status_code=400, json=error)
    sends(web, "image", mime_type="image/jpeg")
    answer = user.get(file_of(user))
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_after_seven_days_nobody_is_asked(web: Web, user: ConsoleUser, monkeypatch: pytest.MonkeyPatch) -> None:
    sends(web, "image", mime_type="image/jpeg")
    place = user.find(CUSTOMER)
    now = int(time.time())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now)  # keeps the session valid
    monkeypatch.setattr("wa_service.web.console.shown.time.time", lambda: now + 7 * 86_400 + 60)
    page = user.page(place)
    assert "The file is gone: Meta stores it for 7 days." in text_of(page)
    assert "<img" not in page


def test_a_voice_note_has_its_transcript_beside(web: Web, user: ConsoleUser) -> None:
    sends(web, "audio", mime_type="audio/ogg; codecs=opus", voice=True)
    (work,) = web.runtime.inbox.take("worker", time.monotonic_ns(), 1)[1]
    heard = '{"message_id":"wamid.FILE","transcript":"is breakfast included"}'
    web.runtime.inbox.finish(work, "worker", [], transcript=heard)
    page = user.page(user.find(CUSTOMER))
    assert 'aria-label="Voice note"' in page
    assert "Transcript: “is breakfast included”" in text_of(page)
    story = file_of(user).removesuffix("/file")
    assert "is breakfast included" in text_of(user.page(story))


def test_a_file_that_meta_did_not_pass_on_has_its_reason(web: Web, user: ConsoleUser) -> None:
    message = text_message("wamid.FILE") | {"type": "image", "image": {"caption": "look"}}
    message["errors"] = [{"code": 131052, "title": "Media download error"}]
    web.webhook(delivery(value_of(messages=[message])))
    shown = text_of(user.page(user.find(CUSTOMER)))
    assert "Meta did not pass the file on: Media download error." in shown


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"errors": -1}, "look"),
        ({"errors": [5, {}]}, "Meta did not pass the file on"),
        ({"errors": {"title": "One error"}}, "Meta did not pass the file on: One error."),
        ({"type": "voice", "voice": {"id": "1"}, "audio": 5}, "recording"),
    ],
)
def test_a_message_that_is_not_as_meta_writes_them_leaves_its_conversation_readable(
    web: Web, user: ConsoleUser, changed: dict[str, Any], shown: str
) -> None:
    message = text_message("wamid.ODD") | {"type": "image", "image": {"caption": "look"}} | changed
    web.webhook(delivery(value_of(messages=[text_message("wamid.PLAIN"), message])))
    assert shown in text_of(user.page(user.find(CUSTOMER)))


def test_nobody_has_a_file_without_a_session_nor_where_there_is_none(
    web: Web, user: ConsoleUser, meta: requests_mock.Mocker
) -> None:
    keeps(meta, "image/jpeg")
    sends(web, "image", mime_type="image/jpeg")
    address = file_of(user)
    stranger = web.app.test_client().get(f"/console{address}", headers={"Sec-Fetch-Mode": "no-cors"})
    assert stranger.status_code == 401
    web.webhook(delivery(value_of(messages=[text_message("wamid.TEXT", "no file")])))
    places = re.findall(r'href="/console(/messages/[^"/]+)"', user.page(user.find(CUSTOMER)))
    assert sorted(user.get(f"{place}/file").status_code for place in places) == [200, 404]
    assert user.get("/messages/e1-1/file").status_code == 404
