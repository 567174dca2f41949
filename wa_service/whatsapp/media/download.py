"""Download customers' files: resolve the media id, then fetch the bytes (reference 4.2, 4.3).

Each of the two steps has a wall-clock limit of 30 s. Bytes are fetched from Meta's hosts only, over at most three
redirects; the token is sent to the first host only. Size and sha256 are compared with what Meta announced. A URL that
Meta refuses (they are valid for 5 minutes) is resolved once more.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final
from urllib.parse import urljoin

import requests
from requests import Request, Response
from urllib3.exceptions import HTTPError as Urllib3Error

from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaNotFoundError,
    MediaTooLargeError,
    WhatsAppError,
    WhatsAppRequestError,
)
from wa_service.whatsapp.http.deadline import DeadlineFactory
from wa_service.whatsapp.http.transport import CallOutcome, Transport
from wa_service.whatsapp.media.hosts import MediaHosts
from wa_service.whatsapp.media.types import (
    LARGEST,
    MEDIA_TYPES,
    MediaKind,
    MediaType,
    base_type,
    check_upload,
    media_kind,
)

__all__ = [
    "LARGEST",
    "MEDIA_TYPES",
    "Media",
    "MediaDownloader",
    "MediaInfo",
    "MediaKind",
    "MediaStream",
    "MediaType",
    "base_type",
    "check_upload",
    "media_kind",
]

STEP_SECONDS: Final = 30.0
"""Wall clock for each of the two steps, from connect to last byte."""

_MAX_REDIRECTS: Final = 3
_CHUNK: Final = 64 * 1024
_ID_MARKS: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.:=")


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Meta's facts about a file. `size` in bytes, None unknown; `sha256` in hex, "" unknown; `url` lasts 5 minutes."""

    id: str
    mime_type: str
    size: int | None
    sha256: str
    url: str

    @property
    def kind(self) -> MediaKind:
        """How WhatsApp shows it."""
        return media_kind(self.mime_type)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, mime_type={self.mime_type!r}, size={self.size!r})"


@dataclass(frozen=True, slots=True)
class Media:
    """A downloaded file: `content` in memory, or `path` if it was written to a file (then `content` is empty)."""

    content: bytes
    mime_type: str
    sha256: str
    size: int
    path: Path | None = None

    @property
    def kind(self) -> MediaKind:
        """How WhatsApp shows it."""
        return media_kind(self.mime_type)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mime_type={self.mime_type!r}, size={self.size!r}, path={self.path!r})"


class MediaStream:
    """An open download: iterate over its chunks once, in a `with` block or to the end.

    `mime_type`, `size` (None unknown) and `sha256` are what Meta announced; a mismatch raises before the last chunk.
    The 30 s include only the time spent waiting for Meta, not what the caller does with the chunks.
    """

    def __init__(
        self, info: MediaInfo, response: Response, *, seconds: float, max_size: int, deadline: DeadlineFactory
    ) -> None:
        self.mime_type = info.mime_type
        self.size = info.size
        self.sha256 = info.sha256
        self.received = 0
        self._response = response
        self._left = seconds
        self._deadline = deadline
        self._max_size = max_size
        self._digest = hashlib.sha256()

    def __enter__(self) -> MediaStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._response.close()

    @property
    def digest(self) -> str:
        """The sha256 in hex of the bytes received so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes; raises `MediaDownloadError` or `MediaTooLargeError`."""
        chunks = self._response.iter_content(_CHUNK)
        held = b""
        with self:
            while chunk := self._next(chunks):
                self.received += len(chunk)
                if self.size is not None and self.received > self.size:
                    # Raised before all announced bytes are yielded: a caller could take them for the whole file.
                    raise MediaDownloadError(f"Meta announced {self.size} bytes, but sent more")
                if self.received > self._max_size:
                    raise MediaTooLargeError(f"The file has more than {self._max_size} bytes")
                self._digest.update(chunk)
                if held:
                    yield held
                held = chunk
            self._compare()
            # The last piece is yielded only after the comparison.
            if held:
                yield held

    def _next(self, chunks: Iterator[bytes]) -> bytes:
        started = time.monotonic()
        try:
            with self._deadline(self._left, self._hang_up):
                return next(chunks, b"")
        except _NETWORK as problem:
            raise MediaDownloadError("The file was incomplete or late", details=type(problem).__name__) from None
        finally:
            self._left -= time.monotonic() - started

    def _hang_up(self) -> None:
        with contextlib.suppress(ValueError, RuntimeError, OSError):  # already read to its end, or closed
            self._response.raw.shutdown()

    def _compare(self) -> None:
        if self.size is not None and self.received != self.size:
            raise MediaDownloadError(f"Meta announced {self.size} bytes, but sent {self.received}")
        if self.sha256 and self.sha256 != self.digest:
            raise MediaDownloadError("The file's sha256 is not the announced one")


_NETWORK: Final = (requests.RequestException, Urllib3Error, OSError)


class MediaDownloader:
    """Resolves, downloads and deletes files."""

    def __init__(
        self, transport: Transport, base_url: str, access_token: str, *, step_seconds: float = STEP_SECONDS
    ) -> None:
        self._transport = transport
        self._hosts = MediaHosts(base_url)
        self._token = access_token
        self._seconds = step_seconds

    def resolve(self, media_id: str, *, phone_number_id: str = "") -> MediaInfo:
        """Get the file's URL and facts from Meta; raise `MediaNotFoundError` or another `WhatsAppError`."""
        return read_info(media_id, self._call("GET", media_id, phone_number_id))

    def delete(self, media_id: str, *, phone_number_id: str = "") -> None:
        """Delete the file at Meta; raise `MediaNotFoundError` or another `WhatsAppError`.

        Meta deletes any object with this id, so first check that it is a file.
        """
        answer = self._call("GET", media_id, phone_number_id)
        if not (isinstance(answer.get("url"), str) and isinstance(answer.get("mime_type"), str)):
            raise MediaNotFoundError("This is not a media id")
        self._call("DELETE", media_id, phone_number_id)

    def open(self, media_id: str, *, phone_number_id: str = "", max_size: int = LARGEST) -> MediaStream:
        """Run both steps up to the first byte; audio is limited to WhatsApp's maximum size.

        The caller must iterate over the stream or close it.
        """
        for again in (True, False):
            info = self.resolve(media_id, phone_number_id=phone_number_id)
            known = MEDIA_TYPES.get(base_type(info.mime_type))
            most = min(max_size, known.max_size) if known and known.kind == "audio" else max_size
            if info.size is not None and info.size > most:
                raise MediaTooLargeError(f"The file has {info.size} bytes, at most {most} are allowed")
            ends = time.monotonic() + self._seconds
            response = self._fetch(info, ends)
            if response.status_code == 200:
                return MediaStream(
                    _checked(info, response),
                    response,
                    seconds=ends - time.monotonic(),
                    max_size=most,
                    deadline=self._transport.deadline,
                )
            response.close()
            if not again:
                break
        if response.status_code == 404:
            raise MediaNotFoundError("Meta no longer has the file", http_status=404)
        raise MediaDownloadError("Meta refuses the file", http_status=response.status_code)

    def download(
        self, media_id: str, *, phone_number_id: str = "", max_size: int = LARGEST, to: Path | IO[bytes] | None = None
    ) -> Media:
        """Run both steps to the last byte, into memory or `to`; observed as one call `download_media`."""
        started = time.monotonic()
        error: WhatsAppError | None = None
        try:
            with self.open(media_id, phone_number_id=phone_number_id, max_size=max_size) as stream:
                return _drain(stream, to)
        except WhatsAppError as problem:
            error = problem
            raise
        finally:
            outcome = CallOutcome(error.http_status if error else 200, error, None, (), "")
            self._transport.report("download_media", outcome, time.monotonic() - started)

    def _call(self, method: str, media_id: str, phone_number_id: str) -> dict[str, Any]:
        if not media_id or not set(media_id) <= _ID_MARKS or not media_id.strip("."):
            raise MediaNotFoundError("This is not a media id")
        params = {"phone_number_id": phone_number_id} if phone_number_id else None
        try:
            return self._transport.request("media", method, media_id, params=params, seconds=self._seconds)
        except WhatsAppRequestError as problem:
            if problem.http_status == 404 or (problem.code == 100 and problem.subcode in (33, None)):
                raise _not_found(problem) from None
            raise

    def _fetch(self, info: MediaInfo, ends: float) -> Response:
        """Send the GET and follow redirects, but only to Meta's hosts."""
        url = info.url
        headers = {
            "Authorization": f"Bearer {self._token}",
            "User-Agent": self._transport.user_agent,
            "Accept": "*/*",
            # A compressed body would not have the announced size and digest.
            "Accept-Encoding": "identity",
        }
        for _ in range(_MAX_REDIRECTS + 1):
            request = self._request(url, headers)
            try:
                response = self._transport.open_response(request, ends - time.monotonic())
            except _NETWORK as problem:
                raise MediaDownloadError("The file could not be fetched", details=type(problem).__name__) from None
            target = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or not target:
                return response
            response.close()
            before, url = request.url or "", _joined(request.url or "", target)
            if _origin(before) != _origin(url):
                headers = {key: value for key, value in headers.items() if key != "Authorization"}
        raise MediaDownloadError(f"Meta redirected more than {_MAX_REDIRECTS} times")

    def _request(self, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
        reason = self._hosts.refusal(url)
        if reason is None:
            try:
                request = Request("GET", url, headers=dict(headers)).prepare()
            except (requests.RequestException, ValueError):
                raise MediaDownloadError("The file is not fetched: its URL is invalid", retryable=False) from None
            # requests may have rewritten the URL, so check the one that is sent.
            reason = self._hosts.refusal(request.url or "")
        if reason is not None:
            raise MediaDownloadError(f"The file is not fetched: {reason}", retryable=False)
        return request


def read_info(media_id: str, answer: Mapping[str, Any]) -> MediaInfo:
    """Read Meta's answer (4.2): the size as a number or string, the sha256 in hex or base64."""
    url, mime_type, size = answer.get("url"), answer.get("mime_type"), answer.get("file_size")
    if not isinstance(url, str) or not url:
        raise MediaDownloadError("Meta returned no URL for the file")
    if isinstance(size, str):
        size = int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None
    return MediaInfo(
        id=media_id,
        mime_type=mime_type if isinstance(mime_type, str) and mime_type else "application/octet-stream",
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        sha256=hex_digest(answer.get("sha256")),
        url=url,
    )


def hex_digest(value: object) -> str:
    """Return a sha256 in lower-case hex, from hex or base64 (4.2); "" if it is neither."""
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if len(text) == 64:
        try:
            return bytes.fromhex(text).hex()
        except ValueError:
            return ""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == 32 else ""


def _drain(stream: MediaStream, to: Path | IO[bytes] | None) -> Media:
    if to is None:
        return _media(stream, b"".join(stream), None)
    if isinstance(to, Path):
        whole = False
        try:
            with to.open("wb") as file:
                file.writelines(stream)
            whole = True
        finally:
            if not whole:
                to.unlink(missing_ok=True)  # an incomplete file could be taken for a whole one
        return _media(stream, b"", to)
    to.writelines(stream)
    return _media(stream, b"", None)


def _media(stream: MediaStream, content: bytes, path: Path | None) -> Media:
    return Media(content, stream.mime_type, stream.digest, stream.received, path)


def _checked(info: MediaInfo, response: Response) -> MediaInfo:
    """Refuse a web page, such as a login page, instead of the file (4.3)."""
    served = base_type(response.headers.get("Content-Type", ""))
    if served == "text/html" and base_type(info.mime_type) != "text/html":
        response.close()
        raise MediaDownloadError("Meta returned a web page instead of the file", http_status=response.status_code)
    return info


def _not_found(problem: WhatsAppError) -> MediaNotFoundError:
    return MediaNotFoundError(
        "Meta does not know this media id",
        http_status=problem.http_status,
        code=problem.code,
        subcode=problem.subcode,
        fbtrace_id=problem.fbtrace_id,
    )


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    return scheme.lower(), rest.partition("/")[0].partition("?")[0].lower()
