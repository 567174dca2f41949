"""What Meta tells about our accounts and numbers: kept, told to the stream and logged; limits among it are believed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from wa_service.observability import log
from wa_service.runtime import Runtime
from wa_service.store.flusher import Command, StoreUnavailableError
from wa_service.store.size_limits import bounded
from wa_service.whatsapp.webhooks.events import ManagementEvent, Piece, parse_piece
from wa_service.whatsapp.webhooks.management_events import digits_only

# A history, say, is so large that a thousand of them would fill the store.
LARGEST_KEPT_ASIDE = 65_536
LONGEST_NAME = 64

Told = Callable[[Piece, Any], None]
Asked = tuple[Command, Piece, Told]
"""A command, the piece it is for, and what is to be done with its result."""


class AccountEvents:
    """The commands for management events and for notices of the field `messages`."""

    def __init__(self, runtime: Runtime) -> None:
        self._events = runtime.events
        self._account = runtime.outbox.limits_of(runtime.numbers[0]).waba
        self._numbers = runtime.numbers
        self._waba = runtime.settings.business_account_id
        self._log = log.get_logger()
        # Meta speaks of a number as customers see it; which of ours that is stands in what is delivered for it. Once
        # this process has told the store, nothing is left here, and a delivery pays nothing for it.
        self.unseen: set[str] = set()
        self.start_anew()

    def start_anew(self) -> None:
        """What the store was told may not have reached it."""
        self.unseen.update(self._numbers)

    def asked(self, piece: Piece) -> list[Asked]:
        """What a management event asks for."""
        event = parse_piece(piece)
        command = self._events.management(piece.field, aside(piece))
        if not isinstance(event, ManagementEvent):
            return [(command, piece, kept)]
        asked: list[Asked] = [(command, piece, partial(self._changed, event.event))]
        if self._waba is None or event.waba_id == self._waba:
            asked += self._limits(event, piece)
        return asked

    def notice(self, piece: Piece) -> Asked:
        """What an error that belongs to no message asks for, or a customer's action outside the chat."""
        return (
            self._events.management(piece.kind, aside(piece)),
            piece,
            self._noticed if piece.kind == "error" else kept,
        )

    def seen_as(self, piece: Piece) -> list[Asked]:
        """Tells the store as which number customers see the one that a piece is for, where it says so."""
        shown = digits_only(piece.display_phone_number)
        if not shown:
            return []
        self.unseen.discard(piece.phone_number_id)
        return [(self._events.set_display_number(piece.phone_number_id, shown), piece, _said)]

    def _limits(self, event: ManagementEvent, piece: Piece) -> list[Asked]:
        asked: list[Asked] = []
        daily, per_second, number = event.daily_limit, event.messages_per_second, event.phone_number_id
        if daily is not None:
            command = self._events.set_limits(self._account, daily_limit=daily)
            asked.append((command, piece, partial(self._limited, daily=daily)))
        if per_second is not None and number in self._numbers:
            command = self._events.set_limits(number, throughput=per_second)
            asked.append((command, piece, partial(self._limited, number=number, per_second=per_second)))
        elif per_second is not None and not number:
            command = self._events.apply_upgrade(event.display_phone_number, per_second, self._numbers)
            asked.append((command, piece, partial(self._upgraded, per_second)))
        return asked

    def _changed(self, name: str, piece: Piece, result: Any) -> None:
        kept(piece, result)
        field, waba_id = piece.field[:LONGEST_NAME], piece.waba_id
        self._log.info("whatsapp.management", field=field, name=name[:LONGEST_NAME], waba_id=waba_id)

    def _noticed(self, piece: Piece, result: Any) -> None:
        kept(piece, result)
        code = piece.raw.get("code")
        self._log.warning(
            "whatsapp.management",
            field=piece.kind,
            code=code if type(code) is int else None,
            waba_id=piece.waba_id,
            number=piece.phone_number_id,
        )

    def _limited(self, piece: Piece, result: Any, **limit: str | int) -> None:
        _said(piece, result)
        self._log.info("whatsapp.limit.reported", **limit)

    def _upgraded(self, per_second: int, _: Piece, result: Any) -> None:
        if not isinstance(result, bytes):
            raise unexpected(result)
        if result:  # else it is none of ours, or no delivery has told us yet which
            self._log.info("whatsapp.limit.reported", number=result.decode(), per_second=per_second)


def aside(piece: Piece) -> dict[str, Any]:
    """A piece as it is kept aside."""
    return {
        "waba_id": piece.waba_id,
        "phone_number_id": piece.phone_number_id,
        "timestamp": piece.timestamp or piece.entry_time,
        "value": bounded(piece.raw, LARGEST_KEPT_ASIDE),
    }


def kept(_: Piece, result: Any) -> None:
    """Looks whether it was kept.

    Raises:
        StoreUnavailableError: it was not.
    """
    if result != b"kept":
        raise unexpected(result)


def unexpected(result: Any) -> StoreUnavailableError:
    """The error for a result that no step gives; it does not quote it."""
    return StoreUnavailableError(f"the store answered {type(result).__name__}")


def _said(_: Piece, result: Any) -> None:
    if result != 1:
        raise unexpected(result)
