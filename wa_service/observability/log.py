"""Logs: one JSON line per fact, named `whatsapp.*`, without secrets, bodies and telephone numbers.

The masking applies to every line, also those of libraries. Wamids and call ids contain the customer's number in
base64, so a line has our id and a short hash of Meta's.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor, WrappedLogger

# Fields that are always masked: secrets, and what people wrote.
_HIDDEN_FIELDS = frozenset(["access_token", "api_key", "app_secret", "authorization", "password", "secret"])
_HIDDEN_FIELDS |= {"signature", "token", "verify_token", "body", "content", "text", "transcript"}
# Fields whose digits are not telephone numbers: Meta's ids of our numbers and accounts, our own ids, and hashes of
# messages, one in 280 of which is all digits.
_OPEN_FIELDS = frozenset(["code", "fbtrace_id", "id", "media_id", "message", "number", "phone_number_id", "waba_id"])
_OPEN_FIELDS |= {"api_version", "level", "pid", "port", "timestamp", "wamid"}
_ADDRESS_FIELDS = frozenset(
    ("address", "contact", "from", "from_", "input", "phone", "recipient", "to", "user_id", "wa_id")
)

_MOST_CAUSES = 5
"""Errors of a chain of causes in one line."""

_SUSPECT = re.compile(r"EAA|earer |wa[mc]id\.|\d{8}|\+\d|://|whsec_|(?:token|secret|password|key|proof)=")
_SECRETS = re.compile(
    r"EAA[0-9A-Za-z]{8,}|(?<=[Bb]earer )\S+|(?<=://)[^\s@]+(?=@)|(?<=token=)[^\s&]+"
    r"|(?<=secret=)[^\s&]+|(?<=password=)[^\s&]+|(?<=key=)[^\s&]+|(?<=proof=)[^\s&]+|(?<=whsec_)[0-9A-Za-z+/=]+"
)
_WAMID = re.compile(r"(wa[mc]id)\.[0-9A-Za-z+/=_-]+")
_NUMBER = re.compile(
    r"(?:(?<![\w.])(?<!wa[mc]id#)|(?<=tel))\+?\d{8,15}(?![\w.]*\w)"
    r"|\+\d{1,3}(?:[ ().-]{1,2}\d{2,5}){2,5}"
    r"|(?<![\w.])[A-Z]{2}\.(?:ENT\.)?\d{8,}"
)


def mask_number(address: str) -> str:
    """Return `155******67` for `15551234567`: enough to distinguish customers, but not to contact one."""
    if len(address) < 6:
        return "*" * len(address)
    return f"{address[:3]}{'*' * (len(address) - 5)}{address[-2:]}"


def short_hash(wamid: str) -> str:
    """Return twelve hex digits for a wamid, which itself contains the customer's number."""
    return hashlib.sha256(wamid.encode()).hexdigest()[:12]


def clean(text: str, *, numbers: bool = True) -> str:
    """Return the text without tokens, passwords, wamids and call ids, and (with `numbers`) with masked telephone
    numbers.
    """
    if not _SUSPECT.search(text):
        return text
    text = _SECRETS.sub("…", text)
    text = _WAMID.sub(lambda found: f"{found[1]}#{short_hash(found[0])}", text)
    return _NUMBER.sub(lambda found: mask_number(found[0]), text) if numbers else text


def masking(*, numbers: bool) -> Processor:
    """Return the processor that masks every line; `numbers`: whether to mask telephone numbers."""

    def mask(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        for field, value in line.items():
            kind = type(value)
            # Fast path: nearly every field has nothing to mask.
            if kind in _PLAIN or (
                field not in _LOOKED_AT and (kind is int or (kind is str and not _SUSPECT.search(value)))
            ):
                continue
            line[field] = _masked(field, value, numbers)
        return line

    return mask


_PLAIN = frozenset({float, bool, type(None)})
_LOOKED_AT = _HIDDEN_FIELDS | _ADDRESS_FIELDS


def _masked(field: str, value: Any, numbers: bool) -> Any:
    if field in _HIDDEN_FIELDS:
        return "…"
    if isinstance(value, dict):
        return {key: _masked(str(key), inner, numbers) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(field, inner, numbers) for inner in value]
    if isinstance(value, int) and field not in _ADDRESS_FIELDS:
        return value
    text = value if isinstance(value, str) else str(value)
    if field in _ADDRESS_FIELDS and numbers:
        return mask_number(clean(text, numbers=False))
    # An open field may contain more than our own number in a forged or odd delivery.
    return clean(text, numbers=numbers and (field not in _OPEN_FIELDS or ":" in text))


def configure(
    log_format: Literal["auto", "json", "console"] = "auto",
    numbers: Literal["masked", "full"] = "masked",
    stream: TextIO | None = None,
    *,
    level: Literal["info", "debug"] = "info",
) -> None:
    """Configure logging for this process: our own lines and those of libraries (warnings and above).

    Lines go to `stream`, by default standard error, so that they do not mix with a command's output. `auto` uses the
    readable format on a terminal. `debug` adds our lines about frequent successes, but none of libraries.
    """
    out = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and out.isatty())
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_traceback),
        masking(numbers=numbers == "masked"),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else _json_line
    )
    structlog.configure(
        processors=[*chain, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if level == "debug" else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Its warnings quote the URL, and all headers of an answer that cannot be parsed.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


def _traceback(exc_info: ExcInfo) -> str:
    """Return the types and code locations of an error and its causes, without messages, which may quote customers."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(parts) < _MOST_CAUSES:
        part = "".join(
            ("Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__), _named(error))
        )
        parts.append(part)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhich came of\n\n".join(parts)


def _named(error: BaseException) -> str:
    """Return the error's type, with its message only for errors of the system."""
    name = type(error).__qualname__
    if isinstance(error, ImportError):
        return f"{name}: {error}"
    return f"{name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else name


def _json_line(_: WrappedLogger, __: str, line: EventDict) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def get_logger(**fields: Any) -> FilteringBoundLogger:
    """Return a logger whose lines carry `fields`; its methods take the fact's name and its fields."""
    return cast(FilteringBoundLogger, structlog.get_logger(**fields))


def bound(**fields: Any) -> AbstractContextManager[None]:
    """Add `fields` (above all the id) to every line that this greenlet writes in the block."""
    factory: Callable[..., AbstractContextManager[None]] = structlog.contextvars.bound_contextvars
    return factory(**fields)
