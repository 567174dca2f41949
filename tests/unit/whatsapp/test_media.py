"""Downloads: two steps, each with a deadline, only from Meta's hosts, and checked against the announced file."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from requests_mock import Mocker

from tests.unit.whatsapp.conftest import LocalMeta, RawServer
from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaNotFoundError,
    MediaTooLargeError,
    WhatsAppAuthError,
    WhatsAppError,
)
from wa_service.whatsapp.http.transport import Transport
from wa_service.whatsapp.media.download import Media, MediaDownloader, hex_digest, read_info
from wa_service.whatsapp.media.types import MEDIA_TYPES, media_kind

TOKEN = "EAAtoken0123456789"
META = "https://graph.facebook.com"
BYTES = b"OggS voice note " * 5000
DIGEST = hashlib.sha256(BYTES)
LOOKASIDE = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=55&ext=1790000300&hash=ARx"


def announced(url: str, content: Any = BYTES, **more: Any) -> Any:
    facts = {
        "messaging_product": "whatsapp",
        "url": url,
        "mime_type": "audio/ogg",
        "sha256": hashlib.sha256(content).hexdigest(),
        "file_size": len(content),
        "id": "55",
    }
    return {key: value for key, value in {**facts, **more}.items() if value is not None}


@pytest.fixture
def heard() -> Any:
    return []


@pytest.fixture
def downloader(heard: Any) -> Any:
    def make(base_url: str = META, seconds: float = 5.0) -> Any:
        transport = Transport(
            base_url, "v23.0", TOKEN, observe=lambda *facts: heard.append(facts), retry_pause=0.01, read_timeout=5
        )
        return MediaDownloader(transport, base_url, TOKEN, step_seconds=seconds)

    return make


def failed(downloader: Any, media_id: str = "55", **more: Any) -> Any:
    with pytest.raises(WhatsAppError) as caught:
        downloader.download(media_id, **more)
    return caught.value


@pytest.fixture
def serving(requests_mock: Mocker) -> Any:
    """Return a function that registers a file at Meta: its `content`, and `facts` that change the announcement."""

    def serve(content: Any = BYTES, headers: Any = None, status: Any = 200, **facts: Any) -> Any:
        requests_mock.get(f"{META}/v23.0/55", json=announced(LOOKASIDE, **facts))
        return requests_mock.get(LOOKASIDE, content=content, headers=headers or {}, status_code=status)

    return serve


def test_a_file_comes_in_two_steps(downloader: Any, serving: Any, requests_mock: Mocker) -> None:
    serving()
    media = downloader().download("55")
    assert (media.content, media.mime_type, media.size) == (BYTES, "audio/ogg", len(BYTES))
    assert (media.sha256, media.kind) == (DIGEST.hexdigest(), "audio")
    assert [request.hostname for request in requests_mock.request_history] == [
        "graph.facebook.com",
        "lookaside.fbsbx.com",
    ]


def test_the_bytes_are_asked_for_with_token_and_user_agent(downloader: Any, serving: Any) -> None:
    fetched = serving()
    downloader().download("55")
    headers = fetched.last_request.headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["User-Agent"].startswith("wa-service/")


def test_the_number_can_be_named(downloader: Any, serving: Any, requests_mock: Mocker) -> None:
    serving()
    downloader().download("55", phone_number_id="106")
    assert requests_mock.request_history[0].qs == {"phone_number_id": ["106"]}


def test_the_whole_download_is_observed_once(downloader: Any, serving: Any, heard: Any) -> None:
    serving()
    downloader().download("55")
    assert [(call, outcome.error) for call, outcome, _ in heard] == [("media", None), ("download_media", None)]


@pytest.mark.parametrize("mime_type", [*MEDIA_TYPES, "audio/ogg; codecs=opus", "application/zip"])
def test_every_kind_of_file_can_be_fetched(downloader: Any, serving: Any, mime_type: str) -> None:
    serving(mime_type=mime_type)
    media = downloader().download("55")
    assert (media.mime_type, media.kind) == (mime_type, media_kind(mime_type))


@pytest.mark.parametrize(
    "sha256", [DIGEST.hexdigest(), DIGEST.hexdigest().upper(), base64.b64encode(DIGEST.digest()).decode(), None, "?"]
)
def test_the_digest_may_be_hex_or_base64_or_missing(downloader: Any, serving: Any, sha256: Any) -> None:
    serving(sha256=sha256)
    assert downloader().download("55").sha256 == DIGEST.hexdigest()


@pytest.mark.parametrize("size", [len(BYTES), str(len(BYTES)), None, "many", True, -1])
def test_the_size_may_be_a_number_or_a_text_or_missing(downloader: Any, serving: Any, size: Any) -> None:
    serving(file_size=size)
    assert downloader().download("55").size == len(BYTES)


def test_other_bytes_than_announced_are_refused(downloader: Any, serving: Any) -> None:
    serving(content=b"x" * len(BYTES))
    assert "sha256" in str(failed(downloader()))


def test_another_size_than_announced_is_refused(downloader: Any, serving: Any) -> None:
    serving(content=BYTES[:-1], sha256=None)
    assert isinstance(failed(downloader()), MediaDownloadError)


def test_a_login_page_in_place_of_the_file_is_refused(downloader: Any, serving: Any) -> None:
    serving(content=b"<html>Log in</html>", headers={"Content-Type": "text/html"}, sha256=None, file_size=None)
    error = failed(downloader())
    assert (type(error), error.title) == (MediaDownloadError, "Meta returned a web page instead of the file")


def test_a_file_is_written_to_a_path(downloader: Any, serving: Any, tmp_path: Path) -> None:
    serving()
    media = downloader().download("55", to=tmp_path / "note.ogg")
    assert (media.content, media.path, media.size) == (b"", tmp_path / "note.ogg", len(BYTES))
    assert media.path.read_bytes() == BYTES


def test_a_file_is_written_to_a_stream(downloader: Any, serving: Any) -> None:
    serving()
    stream = io.BytesIO()
    downloader().download("55", to=stream)
    assert stream.getvalue() == BYTES


def test_half_a_file_is_not_left_behind(downloader: Any, serving: Any, tmp_path: Path) -> None:
    serving(content=BYTES[:-1], sha256=None)
    failed(downloader(), to=tmp_path / "note.ogg")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_no_half_file_either(downloader: Any, serving: Any, tmp_path: Path) -> None:
    serving()

    class Full(type(tmp_path)):  # type: ignore[misc]  # PosixPath or WindowsPath
        def open(self, *args: Any, **kwargs: Any) -> None:
            super().open(*args, **kwargs).close()
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        downloader().download("55", to=Full(tmp_path / "note.ogg"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_announced_too_large_is_not_fetched(downloader: Any, serving: Any) -> None:
    fetched = serving()
    assert type(failed(downloader(), max_size=100)) is MediaTooLargeError
    assert fetched.called is False


def test_a_file_that_turns_out_too_large_is_cut_off(downloader: Any, serving: Any) -> None:
    serving(file_size=None)
    assert type(failed(downloader(), max_size=100)) is MediaTooLargeError


def test_a_stream_gives_the_file_in_pieces(downloader: Any, serving: Any) -> None:
    serving()
    with downloader().open("55") as stream:
        assert (stream.mime_type, stream.size) == ("audio/ogg", len(BYTES))
        pieces = list(stream)
    assert (b"".join(pieces), len(pieces)) == (BYTES, 2)


def test_a_stream_makes_the_same_checks(downloader: Any, serving: Any) -> None:
    serving(content=BYTES[:-1], sha256=None)
    with downloader().open("55") as stream, pytest.raises(MediaDownloadError):
        list(stream)


def test_more_than_announced_is_an_error_before_as_much_as_announced_was_passed_on(
    downloader: Any, serving: Any
) -> None:
    announced_size = 100_000  # within the second piece
    serving(content=bytes(300_000), sha256=None, file_size=announced_size)
    passed_on: list[bytes] = []
    with downloader().open("55") as stream, pytest.raises(MediaDownloadError, match="sent more"):
        passed_on.extend(stream)
    assert sum(map(len, passed_on)) < announced_size


def test_audio_above_its_limit_is_not_fetched(downloader: Any, serving: Any) -> None:
    fetched = serving(file_size=60 * 1024 * 1024)
    assert type(failed(downloader())) is MediaTooLargeError
    assert fetched.called is False


def test_audio_that_turns_out_above_its_limit_is_not_fetched_whole(downloader: Any, serving: Any) -> None:
    serving(content=bytes(17 * 1024 * 1024), file_size=None, sha256=None)
    with downloader().open("55") as stream, pytest.raises(MediaTooLargeError):
        list(stream)
    assert stream.received < 17 * 1024 * 1024


def test_neither_file_nor_url_shows_in_a_repr() -> None:
    assert "secret" not in repr(Media(b"secret", "text/plain", "00", 6))
    assert "secret" not in repr(read_info("55", {"url": "https://a.example/secret"}))


GONE = {
    "error": {
        "message": "Unsupported get request. Object with ID '55' does not exist",
        "type": "GraphMethodException",
        "code": 100,
        "error_subcode": 33,
        "fbtrace_id": "Agone",
    }
}


def test_an_unknown_id_is_not_found(downloader: Any, requests_mock: Mocker, heard: Any) -> None:
    requests_mock.get(f"{META}/v23.0/55", json=GONE, status_code=400)
    error = failed(downloader())
    assert (type(error), error.fbtrace_id, error.retryable) == (MediaNotFoundError, "Agone", False)
    assert heard[-1][1].error is error


def test_a_404_is_not_found(downloader: Any, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/v23.0/55", text="", status_code=404)
    assert type(failed(downloader())) is MediaNotFoundError


@pytest.mark.parametrize("media_id", ["", "..", "a/b", "a?b", "55\n", "a b", "\u0661"])
def test_what_is_no_id_is_not_asked_for(downloader: Any, requests_mock: Mocker, media_id: str) -> None:
    assert type(failed(downloader(), media_id)) is MediaNotFoundError
    assert requests_mock.called is False


def test_a_bad_token_stays_what_it_is(downloader: Any, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/v23.0/55", json={"error": {"code": 190, "message": "x"}}, status_code=401)
    assert type(failed(downloader())) is WhatsAppAuthError


def test_an_answer_without_address_is_an_error(downloader: Any, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/v23.0/55", json={"id": "55"})
    assert type(failed(downloader())) is MediaDownloadError


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_an_expired_url_is_resolved_again_once(downloader: Any, requests_mock: Mocker, status: Any) -> None:
    fresh = LOOKASIDE + "&fresh=1"
    requests_mock.get(f"{META}/v23.0/55", [{"json": announced(LOOKASIDE)}, {"json": announced(fresh)}])
    requests_mock.get(LOOKASIDE, status_code=status)
    requests_mock.get(fresh, content=BYTES)
    assert downloader().download("55").content == BYTES


@pytest.mark.parametrize(("status", "error"), [(404, MediaNotFoundError), (403, MediaDownloadError)])
def test_a_url_that_stays_refused_is_an_error(
    downloader: Any, serving: Any, requests_mock: Mocker, status: Any, error: Any
) -> None:
    serving(status=status)
    assert type(failed(downloader())) is error
    assert requests_mock.call_count == 4


FOREIGN = [
    "https://evil.example/x",
    "http://lookaside.fbsbx.com/x",
    "https://lookaside.fbsbx.com.evil.example/x",
    "https://evilfbsbx.com/x",
    "https://fbsbx.com/x",
    "https://lookaside.fbsbx.com@evil.example/x",
    "https://evil.example\\@lookaside.fbsbx.com/x",
    "https://evil.example#@lookaside.fbsbx.com/x",
    "https://lookaside.fbsbx.com:8443/x",
    "http://127.0.0.1:1/x",
    "ftp://lookaside.fbsbx.com/x",
    "file:///etc/passwd",
    "//lookaside.fbsbx.com/x",
    "lookaside.fbsbx.com/x",
    "https:///x",
    "https://lookaside.fbsbx.com/\nx",
    "https://[::1/x",
]


BENT = {"https:///x", "https://lookaside.fbsbx.com/\nx"}
"""As a redirect's target, these are relative or get corrected, and lead to Meta."""


@pytest.mark.parametrize("url", FOREIGN)
def test_nothing_leaves_for_a_host_that_is_not_metas(downloader: Any, requests_mock: Mocker, url: str) -> None:
    requests_mock.get(f"{META}/v23.0/55", json=announced(url))
    error = failed(downloader())
    assert (type(error), error.retryable) == (MediaDownloadError, False)
    assert requests_mock.call_count == 1
    assert "evil" not in str(error)


@pytest.mark.parametrize(
    "host", ["lookaside.fbsbx.com", "scontent.xx.fbcdn.net", "pps.whatsapp.net", "graph.facebook.com"]
)
def test_each_of_metas_hosts_is_asked(downloader: Any, requests_mock: Mocker, host: str) -> None:
    requests_mock.get(f"{META}/v23.0/55", json=announced(f"https://{host}/x"))
    requests_mock.get(f"https://{host}/x", content=BYTES)
    assert downloader().download("55").content == BYTES


def test_a_redirect_to_another_host_of_metas_is_followed_without_the_token(
    downloader: Any, requests_mock: Mocker
) -> None:
    requests_mock.get(f"{META}/v23.0/55", json=announced(LOOKASIDE))
    requests_mock.get(LOOKASIDE, status_code=302, headers={"Location": "https://scontent.xx.fbcdn.net/x"})
    cdn = requests_mock.get("https://scontent.xx.fbcdn.net/x", content=BYTES)
    assert downloader().download("55").content == BYTES
    assert "Authorization" not in cdn.last_request.headers


def test_a_redirect_on_the_same_host_keeps_the_token(downloader: Any, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/v23.0/55", json=announced(LOOKASIDE))
    requests_mock.get(LOOKASIDE, status_code=307, headers={"Location": "/elsewhere"})
    there = requests_mock.get("https://lookaside.fbsbx.com/elsewhere", content=BYTES)
    downloader().download("55")
    assert there.last_request.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("url", [url for url in FOREIGN if "://" in url and url not in BENT])
def test_a_redirect_to_a_foreign_host_is_not_followed(downloader: Any, requests_mock: Mocker, url: str) -> None:
    requests_mock.get(f"{META}/v23.0/55", json=announced(LOOKASIDE))
    requests_mock.get(LOOKASIDE, status_code=302, headers={"Location": url})
    assert type(failed(downloader())) is MediaDownloadError
    assert {request.hostname for request in requests_mock.request_history} <= {
        "graph.facebook.com",
        "lookaside.fbsbx.com",
    }


def test_three_redirects_are_followed_and_no_fourth(downloader: Any, requests_mock: Mocker) -> None:
    def chain(length: Any) -> None:
        requests_mock.get(f"{META}/v23.0/55", json=announced("https://lookaside.fbsbx.com/0"))
        for step in range(length):
            to = {"Location": f"https://lookaside.fbsbx.com/{step + 1}"}
            requests_mock.get(f"https://lookaside.fbsbx.com/{step}", status_code=302, headers=to)
        requests_mock.get(f"https://lookaside.fbsbx.com/{length}", content=BYTES)

    chain(3)
    assert downloader().download("55").content == BYTES
    chain(4)
    assert "more than 3 times" in str(failed(downloader()))


def test_the_configured_base_url_s_host_serves_media_too(downloader: Any, local_meta: LocalMeta) -> None:
    file = f"{local_meta.url}/media/55"
    answers = {"/v23.0/55": announced(file), "/media/55": BYTES}

    def answer(request: Any) -> Any:
        found = answers[request.path]
        return (200, {}, found if isinstance(found, bytes) else json.dumps(found).encode())

    local_meta.answers = answer
    assert downloader(local_meta.url).download("55").content == BYTES
    assert local_meta.requests[1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_another_port_of_the_base_url_s_host_does_not(downloader: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = lambda _: (200, {}, json.dumps(announced("http://127.0.0.1:1/x")).encode())
    assert "host is not Meta's" in str(failed(downloader(local_meta.url)))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n"


@pytest.mark.parametrize(
    ("first", "rest"),
    [(HEAD, b"X-Slow: y\r\n"), (HEAD + b"\r\n", b"body"), (b"", b"HTTP/1.1 ")],
    ids=["headers", "body", "status line"],
)
def test_a_server_that_drips_is_left_when_the_time_is_over(
    downloader: Any, local_meta: LocalMeta, raw_server: RawServer, drip: Any, first: Any, rest: Any
) -> None:
    raw_server.script = drip(first, rest)
    slow = MediaDownloader(Transport(local_meta.url, "v23.0", TOKEN), raw_server.url, TOKEN, step_seconds=0.3)
    local_meta.answers = lambda _: (200, {}, json.dumps(announced(f"{raw_server.url}/x", file_size=None)).encode())
    assert type(failed(slow)) is MediaDownloadError


@pytest.mark.parametrize(
    ("first", "rest"), [(HEAD, b"X-Slow: y\r\n"), (HEAD + b"\r\n", b"    ")], ids=["headers", "body"]
)
def test_resolving_ends_when_its_time_is_over_too(
    downloader: Any, raw_server: RawServer, drip: Any, first: Any, rest: Any
) -> None:
    raw_server.script = drip(first, rest)
    assert isinstance(failed(downloader(raw_server.url, seconds=0.3)), WhatsAppError)


@pytest.mark.parametrize("value", [None, 7, "", "zz" * 32, "AAAA", "not base64!"])
def test_what_is_no_digest_is_none(value: Any) -> None:
    assert hex_digest(value) == ""
