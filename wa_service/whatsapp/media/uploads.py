"""Upload a file to Meta as a stream (reference 4.1, 4.6)."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

from wa_service.whatsapp.errors import UnsupportedMediaError
from wa_service.whatsapp.media.sniffing import HEAD_BYTES, fitting_name, media_type_of
from wa_service.whatsapp.media.types import LARGEST, usual_type

_CHUNK: Final = 64 * 1024
_SLOWEST: Final = 1_000_000 / 8
"""Bytes a second: the slowest upload that is waited for."""
_LONGEST_SECONDS: Final = 600.0

FileLike: TypeAlias = Path | str | bytes | IO[bytes]
"""A path, the bytes themselves, or an open binary stream."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file ready to be sent: an open stream at its start, with name, MIME type and size in bytes."""

    stream: IO[bytes]
    filename: str
    mime_type: str
    size: int
    owned: bool

    def close(self) -> None:
        """Close the stream if it was opened here."""
        if self.owned:
            self.stream.close()


def open_upload(file: FileLike, *, mime_type: str = "", filename: str = "") -> Upload:
    """Open a file, detect its type from its bytes, and give its name the type's extension and no folders.

    A stream that cannot seek is read up to Meta's largest size, since its length must be known first.

    Raises OSError for a path that cannot be read, `UnsupportedMediaError` if the type cannot be determined.
    """
    if isinstance(file, bytes):
        stream: IO[bytes] = io.BytesIO(file)
        name, owned = filename, True
    elif isinstance(file, str | Path):
        stream = Path(file).open("rb")  # noqa: SIM115 - `Upload.close` closes it
        name, owned = filename or Path(file).name, True
    else:
        stream = file if file.seekable() else io.BytesIO(file.read(LARGEST + 1))
        name, owned = filename, False
    start = stream.tell()
    type_ = usual_type(media_type_of(stream.read(HEAD_BYTES), mime_type, name))
    if not type_:
        if owned:
            stream.close()
        raise UnsupportedMediaError("Give the file's type: neither its bytes nor its name tell it")
    size = stream.seek(0, io.SEEK_END) - start
    stream.seek(start)
    return Upload(stream, fitting_name(name, type_), type_, size, owned)


class MultipartForm:
    """A multipart/form-data body with one file, yielded in chunks; `len()` is its length in bytes."""

    def __init__(self, fields: Mapping[str, str], upload: Upload) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        head.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(upload.filename)}"\r\n'
            f"Content-Type: {_quoted(upload.mime_type)}\r\n\r\n"
        )
        self._head = "".join(head).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._upload = upload

    def __len__(self) -> int:
        return len(self._head) + self._upload.size + len(self._tail)

    @property
    def seconds(self) -> float:
        """The time in which it must be sent."""
        return min(_LONGEST_SECONDS, len(self) / _SLOWEST)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        while chunk := self._upload.stream.read(_CHUNK):
            yield chunk
        yield self._tail


def _quoted(text: str) -> str:
    """Return a header value without line breaks, and with quotes escaped as in HTML forms."""
    return text.replace("\r", " ").replace("\n", " ").replace('"', "%22")
