"""The stored form of a received event: write it, read it, and what the steps need to know of its message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

from wa_service.store.keys import mark
from wa_service.store.size_limits import shallow, write
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.whatsapp.webhooks.identity import identity_of_message
from wa_service.whatsapp.webhooks.status import errors_of

FORM = 2
UNAVAILABLE_CODE = 131060
# Types of which customers often send several in a row, and types that end a burst.
_WAITS_FOR_MORE = frozenset({"text", "image", "video", "document", "sticker"})
_ENDS_BURST = frozenset({"audio", "button", "contacts", "interactive", "location", "order"})
_SENDER = ("from", "from_user_id", "from_parent_user_id", "group_id", "timestamp")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A received event: the piece of the webhook, and when we received it (ms).

    `stale`: it was too old to be answered when it arrived; `replayed`: it was a dead letter.
    """

    piece: Piece
    received: int
    stale: bool = False
    replayed: bool = False

    @property
    def reference(self) -> str:
        """The id that correlates webhook, handling, send and status in the logs: a digest, without the number."""
        return reference(self.piece.phone_number_id, self.piece.id)


def reference(number: str, message_id: str) -> str:
    """A message's id for logs: 12 hex digits."""
    return mark(number, message_id)[:6].hex()


def write_event(piece: Piece, received_ms: int, *, stale: bool = False, debounced: bool = False) -> bytes:
    """A piece as it is stored (form 2).

    `stale`: it arrived too late to be answered; `debounced`: write its role in a burst as the first field.
    """
    role = _burst_role(piece) if debounced else 0
    event = {
        **({"b": role} if role else {}),
        "v": FORM,
        "k": piece.kind,
        "f": piece.field,
        "w": piece.waba_id,
        "n": piece.phone_number_id,
        "i": piece.id,
        "t": piece.timestamp,
        "a": piece.addresses,
        "p": piece.contact,
        "m": piece.raw,
        "x": piece.reason,
        "e": piece.entry_time,
        "r": received_ms,
    }
    if stale:
        event["s"] = True
    try:
        return write(event)
    except TypeError:  # nested too deeply: store the short values
        return orjson.dumps(event | {"p": None, "m": shallow(piece.raw)})


def _burst_role(piece: Piece) -> int:
    """1: it waits for more; 2: it ends the burst; 0: it is handled alone."""
    type_ = piece.raw.get("type")
    if "group_id" in piece.raw or not isinstance(type_, str):
        return 0
    return 1 if type_ in _WAITS_FOR_MORE else 2 if type_ in _ENDS_BURST else 0


def is_unavailable(piece: Piece) -> bool:
    """Whether the content is not available yet, and Meta may deliver it later under the same id (code 131060)."""
    return piece.raw.get("type") == "unsupported" and any(
        error.code == UNAVAILABLE_CODE for error in errors_of(piece.raw)
    )


def changed_message(piece: Piece) -> tuple[str, Piece | None]:
    """The id of the message that this one edits or revokes ("" none), and the message as it is now (None: gone)."""
    type_ = piece.raw.get("type")
    change = piece.raw.get(type_) if type_ in {"edit", "revoke"} else None
    original = change.get("original_message_id") if isinstance(change, dict) else None
    if not isinstance(change, dict) or not isinstance(original, str) or not original:
        return "", None
    if type_ == "revoke":
        return original, None
    content = change.get("message")
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        return "", None
    sender = {name: piece.raw[name] for name in _SENDER if name in piece.raw}
    return original, replace(piece, id=original, raw={**content, **sender, "id": original, "edited": True})


def who_wrote(piece: Piece) -> bytes:
    """A message's sender, as the steps' `who` argument."""
    return orjson.dumps(identity_of_message(piece.raw, piece.contact).as_argument(piece.timestamp))


class UnreadableEventError(Exception):
    """A stored event in an unknown form; the text contains no personal data."""


class NewerFormError(UnreadableEventError):
    """A stored event of a later version of this program."""


def read_event(member: bytes) -> StoredEvent:
    """Read an event in this form or in form 1 (the same with long names, without `reason`).

    Raises:
        NewerFormError: a later version of this program stored it.
        UnreadableEventError: its form is unknown.
    """
    try:
        data: dict[str, Any] = orjson.loads(member)
        form = data["v"]
        if isinstance(form, int) and form > FORM:
            raise NewerFormError(
                f"A later version stored it (form {form}, we read 1 to {FORM}): start workers of that version."
            )
        return _read(data)
    except (ValueError, TypeError, LookupError) as error:
        raise UnreadableEventError(f"Its form is unknown ({type(error).__name__}).") from None


def _read(data: dict[str, Any]) -> StoredEvent:
    if data["v"] == 1:
        names = zip(("k", "f", "w", "n", "i", "t", "a", "p", "m", "e", "r"), _FORM_1, strict=True)
        data = {"x": ""} | {short: data[long] for short, long in names}
    piece = Piece(
        kind=data["k"],
        field=data["f"],
        waba_id=data["w"],
        phone_number_id=data["n"],
        id=data["i"],
        timestamp=data["t"],
        addresses=tuple(data["a"]),
        contact=data["p"],
        raw=data["m"],
        reason=data["x"],
        entry_time=data["e"],
    )
    return StoredEvent(piece, data["r"], stale=bool(data.get("s")), replayed=bool(data.get("z")))


_FORM_1 = (
    "kind",
    "field",
    "waba_id",
    "phone_number_id",
    "id",
    "timestamp",
    "addresses",
    "contact",
    "raw",
    "entry_time",
    "received",
)
