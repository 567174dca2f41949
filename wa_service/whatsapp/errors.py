"""Meta's errors as exceptions, each with advice.

```
WhatsAppError                     Meta's error, and: retryable, retry_after, group, advice
├─ WhatsAppConnectionError        the request never left: safe to repeat
│  └─ WhatsAppCircuitOpenError    the breaker is open: nothing was tried
├─ WhatsAppOutcomeUnknownError    it was sent, but no readable answer came: never repeat it blindly
├─ WhatsAppServerError            Meta reported an error of its own
├─ WhatsAppRateLimitError         too many calls, or a daily limit is used up
├─ WhatsAppAuthError              token, permission, account, payment, registration: page a person
├─ WhatsAppRequestError           the request is invalid and will never succeed
├─ WhatsAppRecipientError         the customer cannot be reached, or not with this message
├─ WhatsAppMediaError             a file
│  ├─ MediaNotFoundError          Meta does not have the media (any more)
│  ├─ MediaDownloadError          it could not be downloaded, or is not what Meta announced
│  ├─ MediaTooLargeError          larger than Meta or the caller allows
│  └─ UnsupportedMediaError       a type that WhatsApp does not support
└─ WhatsAppTemplateError          the template, or its values
```

Meta's `code` decides, the HTTP status only without a known code (reference 6.1). `codes.py` is the table of codes;
`classify` turns Meta's answer into an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from wa_service.whatsapp.codes import ROWS, SUBCODE_ROWS, CodeRow, ErrorFamily, Group
from wa_service.whatsapp.usage import read_usage

_TOKEN: Final = re.compile(
    r"EAA[A-Za-z0-9_-]{8,}|\b\d{6,}\|[A-Za-z0-9_-]{8,}|(access_token|appsecret_proof|hub\.verify_token)=[^&\s\"']+"
)
_LONG_NUMBER: Final = re.compile(r"\+?\d{7,}")
_WAMID: Final = re.compile(r"wamid\.[A-Za-z0-9+/=_-]+")
_TEXT_LIMIT: Final = 300


def hide_secrets(text: str) -> str:
    """Return `text` without access tokens and proofs; for any text from Meta or a library."""
    return _TOKEN.sub("[secret]", text)


def _for_the_log(text: str) -> str:
    """Return `text` shortened to one line, without tokens, phone numbers or message ids."""
    hidden = _LONG_NUMBER.sub("[number]", _WAMID.sub("[wamid]", hide_secrets(text)))
    line = " ".join(hidden.split())
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 1] + "…"


class WhatsAppError(Exception):
    """Any failure of a call to Meta. `str(error)` is one line that is safe to log.

    Attributes: `http_status`, `code` and `subcode` (None if there is none), `title`, `details`, `fbtrace_id` ("" if
    Meta gives none), `retryable` (whether the same request may succeed later), `retry_after` (seconds, None unknown),
    `requested_wait` (seconds that this answer asked for; None if the wait comes from the table of codes), `group` (what
    delivery decides by), `advice` (a sentence for a person).
    """

    default_group: ClassVar[Group] = "request"
    default_retryable: ClassVar[bool] = False
    default_advice: ClassVar[str] = "Read Meta's details and correct the request."

    def __init__(
        self,
        title: str = "",
        *,
        http_status: int | None = None,
        code: int | None = None,
        subcode: int | None = None,
        details: str = "",
        fbtrace_id: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
        group: Group | None = None,
        advice: str = "",
    ) -> None:
        self.title = hide_secrets(title) or type(self).__name__
        self.http_status = http_status
        self.code = code
        self.subcode = subcode
        self.details = hide_secrets(details)
        self.fbtrace_id = fbtrace_id
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.requested_wait: float | None = None
        self.group: Group = group or self.default_group
        self.advice = advice or self.default_advice
        super().__init__(self.title)

    def __str__(self) -> str:
        """One log line: title, code, details, trace id. Never a token, a phone number or a message id."""
        facts = []
        if self.code is not None:
            facts.append(f"code {self.code}" + (f"/{self.subcode}" if self.subcode is not None else ""))
        if self.http_status is not None:
            facts.append(f"HTTP {self.http_status}")
        line = _for_the_log(self.title) + (f" ({', '.join(facts)})" if facts else "")
        if self.details and self.details != self.title:
            line += f": {_for_the_log(self.details)}"
        if self.fbtrace_id:
            line += f" [fbtrace_id {_for_the_log(self.fbtrace_id)}]"
        return line

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class WhatsAppConnectionError(WhatsAppError):
    """The request never left (DNS, connect, TLS, pool): repeating it is safe."""

    default_group = "transient"
    default_retryable = True
    default_advice = "Check the network, the proxy and the base URL; repeating is safe."


class WhatsAppCircuitOpenError(WhatsAppConnectionError):
    """The breaker is open: nothing was tried. `retry_after`: until the next try."""

    default_advice = "Wait: calls to Meta fail, so they are suspended for a moment."


class WhatsAppOutcomeUnknownError(WhatsAppError):
    """The request was sent, but its outcome is unknown: never repeat it blindly."""

    default_group = "unknown"
    default_advice = "Wait for a status webhook before sending again: the message may have been sent."


class WhatsAppServerError(WhatsAppError):
    """Meta reported an error of its own in its error object."""

    default_group = "few"
    default_retryable = True
    default_advice = "Wait and try again; if it persists, check Meta's status page."


class WhatsAppRateLimitError(WhatsAppError):
    """Too many calls or messages, or the day's template quota is used up."""

    default_group = "throttled"
    default_retryable = True
    default_advice = "Slow down and try again later."


class WhatsAppAuthError(WhatsAppError):
    """Token, permission, account, payment or registration: nothing works until a person acts."""

    default_group = "account"
    default_advice = "Check the access token, its permissions and the account in WhatsApp Manager."


class WhatsAppRequestError(WhatsAppError):
    """The request is invalid and will never succeed."""


class WhatsAppRecipientError(WhatsAppError):
    """The customer cannot be reached, or not with this message."""

    default_group = "recipient"
    default_advice = "Do not send this message to this customer."


class WhatsAppTemplateError(WhatsAppError):
    """The template is unknown, paused, disabled or malformed, or its values do not fit."""

    default_group = "template"
    default_advice = "Compare the message with the template's definition."


class WhatsAppMediaError(WhatsAppError):
    """A file could not be fetched, uploaded or used."""

    default_group = "media"
    default_advice = "Check the file's type and size."


class MediaNotFoundError(WhatsAppMediaError):
    """Meta does not know the media id (any more): files of webhooks are stored for 7 days, uploads for 30 (4.1)."""

    default_advice = "Ask for the file again: its id is unknown or too old."


class MediaDownloadError(WhatsAppMediaError):
    """The file did not arrive in time, is not on a host of Meta's, or is not what was announced (4.3)."""

    default_retryable = True
    default_advice = "Try the download again; if it persists, ask for the file again."


class MediaTooLargeError(WhatsAppMediaError):
    """The file is larger than Meta or the caller allows."""

    default_advice = "Use a smaller file, or raise the limit."


class UnsupportedMediaError(WhatsAppMediaError):
    """WhatsApp does not support files of this type (4.5)."""

    default_advice = "Convert the file to a type that WhatsApp supports."


_CLASSES: Final[Mapping[ErrorFamily, type[WhatsAppError]]] = MappingProxyType(
    {
        "server": WhatsAppServerError,
        "rate": WhatsAppRateLimitError,
        "auth": WhatsAppAuthError,
        "request": WhatsAppRequestError,
        "recipient": WhatsAppRecipientError,
        "media": WhatsAppMediaError,
        "template": WhatsAppTemplateError,
    }
)
_OF_GROUP: Final[Mapping[str, type[WhatsAppError]]] = MappingProxyType(
    {"transient": WhatsAppConnectionError, "unknown": WhatsAppOutcomeUnknownError}
    | {error.default_group: error for error in _CLASSES.values()}
)


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """What a code of Meta's means for us. `wait`: seconds before the first retry, None if unknown."""

    error: type[WhatsAppError]
    retryable: bool
    wait: float | None
    advice: str
    group: Group


def _info(row: CodeRow) -> CodeInfo:
    return CodeInfo(_CLASSES[row.family], row.retryable, row.wait or None, row.advice, row.group)


CODES: Final[Mapping[int, CodeInfo]] = MappingProxyType({row.code: _info(row) for row in ROWS})
"""Every code of reference section 6."""

SUBCODES: Final[Mapping[int, CodeInfo]] = MappingProxyType({row.code: _info(row) for row in SUBCODE_ROWS})
"""The subcodes of section 6.7, which are more specific than their code 100."""


@dataclass(frozen=True, slots=True)
class MetaErrorObject:
    """Meta's error object, validated: every field has its type, whatever Meta sent (1.4, 5.8)."""

    code: int | None
    subcode: int | None
    title: str
    details: str
    fbtrace_id: str
    is_transient: bool

    @classmethod
    def read(cls, error: Mapping[str, Any]) -> MetaErrorObject:
        """Read the object under `error` of an answer, or one of `errors` of a webhook."""
        data = error.get("error_data")
        details = data.get("details") if isinstance(data, Mapping) else data
        return cls(
            code=_integer(error.get("code")),
            subcode=_integer(error.get("error_subcode")),
            title=_first_text(error.get("title"), error.get("message"), error.get("error_user_title")),
            details=_first_text(details, error.get("details"), error.get("error_user_msg"), error.get("message")),
            fbtrace_id=_first_text(error.get("fbtrace_id")),
            is_transient=error.get("is_transient") is True,
        )


def error_object(body: object) -> Mapping[str, Any] | None:
    """Return Meta's error object in a parsed body, None if there is none (an HTML page, a proxy's JSON)."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, Mapping) and ("code" in error or "message" in error):
        return error
    return None


def classify(
    http_status: int, body: object, headers: Mapping[str, str] | None = None, *, method: str = "POST"
) -> WhatsAppError:
    """Return Meta's answer as an error.

    `body` is the parsed JSON, or None if it is not JSON; `headers` are those of the answer. Meta's code and subcode
    decide; without a known one, the HTTP status. A 5xx (or a 2xx) without Meta's error object is an unknown outcome
    of a POST; for a GET or DELETE, which may be repeated, it is a `WhatsAppServerError` (reference 1.6, 6.1).
    """
    retry_after = retry_after_seconds(headers or {})
    found = error_object(body)
    if found is None:
        error = _without_error_object(http_status, method, retry_after)
    else:
        error = _from_object(MetaErrorObject.read(found), http_status, retry_after)
    error.requested_wait = retry_after
    if retry_after is None and error.group == "throttled":
        minutes = max((usage.regain_minutes for usage in read_usage(headers or {})), default=0.0)
        error.requested_wait = minutes * 60 or None
        error.retry_after = error.requested_wait or error.retry_after
    return error


def from_status_error(obj: object, *, http_status: int | None = None, group: str = "") -> WhatsAppError:
    """Return the error of a failed status or of a webhook's `errors` (5.7, 5.8); never raises, whatever `obj` is.

    For a stored error, pass its HTTP status and group: they classify codes that are not in the table.
    """
    error = obj if isinstance(obj, Mapping) else {}
    return _from_object(MetaErrorObject.read(error), http_status, None, group)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return `Retry-After` in seconds if it is a plain number (Meta normally sends none, 1.5)."""
    value = headers.get("Retry-After") or headers.get("retry-after") or ""
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 7 * 86400 else None


def _from_object(
    found: MetaErrorObject, http_status: int | None, retry_after: float | None, group: str = ""
) -> WhatsAppError:
    info = _lookup(found, http_status)
    if group != info.group and group in _OF_GROUP:  # it was classified by more than what is stored
        info = _by_class(_OF_GROUP[group])
    return info.error(
        found.title,
        http_status=http_status,
        code=found.code,
        subcode=found.subcode,
        details=found.details,
        fbtrace_id=found.fbtrace_id,
        retryable=info.retryable,
        retry_after=retry_after if retry_after is not None else info.wait,
        group=info.group,
        advice=info.advice,
    )


def _lookup(found: MetaErrorObject, http_status: int | None) -> CodeInfo:
    """Return the code's row; the subcode's if the code is 100, which only says "parameter"."""
    code = -1 if found.code is None else found.code
    known = CODES.get(code)
    if code == 100 and found.subcode is not None:
        known = SUBCODES.get(found.subcode, known)
    if known is not None:
        return known
    if found.is_transient:
        return _by_class(WhatsAppServerError)
    if 132000 <= code < 133000:
        return _by_class(WhatsAppTemplateError)
    return _by_class(_class_by_status(http_status))


def _by_class(error: type[WhatsAppError]) -> CodeInfo:
    return CodeInfo(error, error.default_retryable, None, error.default_advice, error.default_group)


def _class_by_status(http_status: int | None) -> type[WhatsAppError]:
    if http_status in (401, 403):
        return WhatsAppAuthError
    if http_status == 429:
        return WhatsAppRateLimitError
    if http_status is not None and http_status >= 500:
        return WhatsAppServerError
    return WhatsAppRequestError


def _without_error_object(http_status: int, method: str, retry_after: float | None) -> WhatsAppError:
    if http_status >= 500 or http_status < 400:
        what = "a broken answer" if http_status < 400 else "an answer without an error object"
        if method == "POST":
            return WhatsAppOutcomeUnknownError(f"Meta gave {what}", http_status=http_status, retry_after=retry_after)
        return WhatsAppServerError(f"Meta gave {what}", http_status=http_status, retry_after=retry_after)
    error = _class_by_status(http_status)
    return error("Meta refused without an error object", http_status=http_status, retry_after=retry_after)


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def _first_text(*values: object) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")
