"""Management events of our accounts and numbers: store them, append them to the events stream, apply their limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from wa_service.observability import log, metrics
from wa_service.store.batches import Batches
from wa_service.store.events import Events
from wa_service.store.flusher import Command, StoreUnavailableError
from wa_service.store.inbox import Inbox
from wa_service.store.keys import mark, template_key
from wa_service.store.template_categories import TemplateCategories
from wa_service.store.template_pauses import (
    FIRST_PAUSE,
    SECOND_PAUSE,
    TemplatePauses,
    number_quality_key,
    quality_key,
)
from wa_service.whatsapp.webhooks.events import ManagementEvent, Piece, parse_piece
from wa_service.whatsapp.webhooks.history import ADDRESS_BOOK_FIELD, named_contacts
from wa_service.whatsapp.webhooks.identity import callers, identities_of_update
from wa_service.whatsapp.webhooks.json_fields import text_of
from wa_service.whatsapp.webhooks.management_events import digits_only

LONGEST_NAME = 64
_TIMESTAMP = re.compile(rb'"timestamp":"?[1-9]')
_PAUSED_TEMPLATES = {"PAUSED": "template_paused", "DISABLED": "template_disabled"}
_NUMBER_QUALITY = frozenset({"FLAGGED", "UNFLAGGED"})
# Sends of a disabled template are released too, so that they fail with Meta's error.
_RELEASING = frozenset({"APPROVED", "REINSTATED", "DISABLED", "DELETED"})

OnResult = Callable[[Piece, Any], None]


class PendingWrite(NamedTuple):
    """A command for the store, the piece that it stores, and a callback for its result."""

    command: Command
    piece: Piece
    on_result: OnResult


class AccountEvents:
    """The writes for management events, and for notices among the messages (errors, user actions).

    `numbers` are our phone number ids; `limits_of` is the account whose daily limit is stored; events of accounts other
    than `waba_id` change no limits.
    """

    def __init__(
        self,
        events: Events,
        inbox: Inbox,
        numbers: Sequence[str],
        *,
        batches: Batches,
        waba_id: str | None,
        limits_of: str,
        categories: TemplateCategories,
        pauses: TemplatePauses,
    ) -> None:
        self._batches = batches
        self._events = events
        self._inbox = inbox
        self._numbers = tuple(numbers)
        self._waba_id = waba_id
        self._limits_of = limits_of
        self._categories = categories
        self._template_pauses = pauses
        self._log = log.get_logger()
        # Management events name a number by its displayed digits, which deliveries map to the phone number id. The
        # mapping is stored once by each process, so that later deliveries need no write.
        self._without_display_number: set[str] = set()
        self.store_display_numbers_again()

    def store_display_numbers_again(self) -> None:
        """Store the displayed numbers again, because the store may have lost them."""
        self._without_display_number.update(self._numbers)

    def management(self, piece: Piece) -> list[PendingWrite]:
        """Return the writes for a management event."""
        event = parse_piece(piece)
        keep = self._events.management(piece.field, _origin_of(piece), piece.raw, event_mark=_mark_of(piece, "event"))
        if not isinstance(event, ManagementEvent):
            return [PendingWrite(keep, piece, check_kept)]
        writes = [PendingWrite(keep, piece, partial(self._log_event, event.event))]
        if self._waba_id is None or event.waba_id == self._waba_id:
            writes += self._limits(event, piece)
            if event.template is not None and event.template.category:
                template = event.template
                command = self._categories.change(
                    template.name, template.language, template.category.upper(), at=event.timestamp
                )
                writes.append(PendingWrite(command, piece, check_linked))
            writes += self._pauses(event, piece)
            writes += self._holds(event, piece)
        if piece.field == "user_id_update":
            writes += self._identities(piece)
        if piece.field == "calls" and piece.phone_number_id in self._numbers:
            calls = [self._inbox.open_window(piece.phone_number_id, *one) for one in callers(piece.raw)]
            writes += [PendingWrite(command, piece, check_linked) for command in calls]
        if piece.field == ADDRESS_BOOK_FIELD and piece.phone_number_id in self._numbers:
            named = named_contacts(piece.raw)
            commands = [self._events.name_contact(piece.phone_number_id, *one) for one in named]
            writes += [PendingWrite(command, piece, check_linked) for command in commands]
        return writes

    def notice(self, piece: Piece) -> PendingWrite:
        """Return the write for an error without a message, or for a customer's action outside the chat."""
        about = {"contact": piece.contact} if piece.contact else {}
        # Errors have no time, so two equal ones may be two events.
        event_mark = b"" if piece.kind == "error" else _mark_of(piece, "event")
        keep = self._events.management(piece.kind, _origin_of(piece) | about, piece.raw, event_mark=event_mark)
        return PendingWrite(keep, piece, self._log_notice if piece.kind == "error" else check_kept)

    def display_number(self, piece: Piece) -> list[PendingWrite]:
        """Return the write that stores the displayed number of the piece's number, if it is not stored yet."""
        if piece.phone_number_id not in self._without_display_number:
            return []
        shown = digits_only(piece.display_phone_number)
        if not shown:
            return []
        self._without_display_number.discard(piece.phone_number_id)
        return [PendingWrite(self._events.set_display_number(piece.phone_number_id, shown), piece, _check_done)]

    def _limits(self, event: ManagementEvent, piece: Piece) -> list[PendingWrite]:
        writes: list[PendingWrite] = []
        daily, per_second, number = event.daily_limit, event.messages_per_second, event.phone_number_id
        if daily is not None:
            command = self._events.set_limits(self._limits_of, daily_limit=daily, at=event.timestamp)
            writes.append(PendingWrite(command, piece, partial(self._log_limit, daily=daily)))
        if per_second is not None and number in self._numbers:
            command = self._events.set_limits(number, throughput=per_second, at=event.timestamp)
            writes.append(PendingWrite(command, piece, partial(self._log_limit, number=number, per_second=per_second)))
        elif per_second is not None and not number:
            command = self._events.apply_upgrade(event.display_phone_number, per_second, self._numbers)
            writes.append(PendingWrite(command, piece, partial(self._log_upgrade, per_second)))
        return writes

    def _pauses(self, event: ManagementEvent, piece: Piece) -> list[PendingWrite]:
        """Return the write that pauses batches whose template or number Meta has paused, disabled or rated red.

        Events come in any order: a better quality is noted, so that an older red one pauses nothing.
        """
        template = event.template
        if template is not None and (template.status in _PAUSED_TEMPLATES or template.quality):
            if not template.name:
                return []
            key = template_key(template.name, template.language)
            is_paused = template.status in _PAUSED_TEMPLATES
            if not is_paused and template.quality != "RED":
                command = self._template_pauses.note_event(quality_key(key), at=event.timestamp)
                return [PendingWrite(command, piece, check_linked)]
            reason = _PAUSED_TEMPLATES.get(template.status, "quality_red")
            about = {"template": template.name, "language": template.language, "waba": self._template_pauses.waba}
            about["about"] = key if is_paused else quality_key(key)
        elif (
            piece.field == "phone_number_quality_update"
            and event.event in _NUMBER_QUALITY
            and event.display_phone_number
        ):
            key = number_quality_key(event.display_phone_number)
            if event.event != "FLAGGED":
                command = self._template_pauses.note_event(key, at=event.timestamp)
                return [PendingWrite(command, piece, check_linked)]
            reason = "quality_red"
            about = {"digits": event.display_phone_number, "waba": self._template_pauses.waba, "about": key}
        else:
            return []
        command = self._batches.pause_where(
            reason, self._numbers, **about, event_mark=_mark_of(piece, "pause"), at=event.timestamp
        )
        return [PendingWrite(command, piece, _check_counted)]

    def _holds(self, event: ManagementEvent, piece: Piece) -> list[PendingWrite]:
        """Return the write that holds the sends of a paused template, or releases them."""
        template = event.template
        if template is None or not template.name:
            return []
        if template.status == "PAUSED":
            about = event.raw.get("other_info")
            title = text_of(about, "title") if isinstance(about, dict) else ""
            seconds = SECOND_PAUSE if title == "SECOND_PAUSE" else FIRST_PAUSE
            command = self._template_pauses.hold(template.name, template.language, seconds, since=event.timestamp)
            return [PendingWrite(command, piece, _check_done)]
        if template.status in _RELEASING:
            command = self._template_pauses.release(template.name, template.language, at=event.timestamp)
            return [PendingWrite(command, piece, self._log_released)]
        return []

    def _identities(self, piece: Piece) -> list[PendingWrite]:
        """Return the writes for replaced user ids.

        If it is clear which of our numbers is meant, a contact is created if necessary: an earlier message may still
        arrive. Otherwise the change applies to known contacts of each number.
        """
        numbers = [piece.phone_number_id] if piece.phone_number_id in self._numbers else self._numbers
        only_known = len(numbers) > 1
        writes = []
        for identity, at in identities_of_update(piece.raw):
            who = orjson.dumps(identity.as_argument(at)).decode()
            for number in numbers:
                event_mark = mark(number, f"user_id_update {who}")
                link = self._inbox.link(number, identity, at, only_known=only_known, event_mark=event_mark)
                writes.append(PendingWrite(link, piece, check_linked))
        return writes

    def _log_event(self, name: str, piece: Piece, result: Any) -> None:
        check_kept(piece, result)
        if result == b"duplicate":
            return
        field, waba_id = piece.field[:LONGEST_NAME], piece.waba_id
        self._log.info("whatsapp.management", field=field, name=name[:LONGEST_NAME], waba_id=waba_id)

    def _log_notice(self, piece: Piece, result: Any) -> None:
        check_kept(piece, result)
        code = piece.raw.get("code")
        self._log.warning(
            "whatsapp.management",
            field=piece.kind,
            code=code if type(code) is int else None,
            waba_id=piece.waba_id,
            number=piece.phone_number_id,
        )

    def _log_limit(self, piece: Piece, result: Any, **limit: str | int) -> None:
        check_linked(piece, result)
        if result:  # else a later limit is stored
            self._log.info("whatsapp.limit.reported", **limit)

    def _log_released(self, piece: Piece, result: Any) -> None:
        _check_counted(piece, result)
        if result:
            self._log.info("whatsapp.template.released", messages=result)

    def _log_upgrade(self, per_second: int, _: Piece, result: Any) -> None:
        if not isinstance(result, bytes):
            raise unexpected_result(result)
        if result:  # else it is not ours, or its displayed digits are not known yet
            self._log.info("whatsapp.limit.reported", number=result.decode(), per_second=per_second)


def _origin_of(piece: Piece) -> dict[str, Any]:
    return {
        "waba_id": piece.waba_id,
        "phone_number_id": piece.phone_number_id,
        "timestamp": piece.timestamp or piece.entry_time,
    }


def _mark_of(piece: Piece, use: str) -> bytes:
    """Return the mark by which the store knows a repeated event, one for each `use`: "event" or "pause".

    Meta repeats a delivery also because another application failed (5.3). Empty if the event has no time: a second one
    may be another event.
    """
    try:
        whole = orjson.dumps([piece.field, piece.contact, piece.raw], option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nested too deeply
        return b""
    has_own_time = _TIMESTAMP.search(whole) is not None
    if not has_own_time and not piece.entry_time:
        return b""
    at = 0 if has_own_time else piece.entry_time
    return mark(piece.phone_number_id, f"{use} {piece.waba_id} {at} {whole.decode()}")


def check_kept(_: Piece, result: Any) -> None:
    """Raise `StoreUnavailableError` if the piece was not stored, now or before."""
    if result == b"duplicate":
        metrics.duplicate_seen()
    elif result != b"kept":
        raise unexpected_result(result)


def unexpected_result(result: Any) -> StoreUnavailableError:
    """Return the error for an unexpected result of a step; it does not quote the result."""
    return StoreUnavailableError(f"the store answered {type(result).__name__}")


def _check_counted(_: Piece, result: Any) -> None:
    if not isinstance(result, int):
        raise unexpected_result(result)


def check_linked(_: Piece, result: Any) -> None:
    """Raise `StoreUnavailableError` unless the result is that of a step that returns 0 or 1."""
    if result not in (0, 1):
        raise unexpected_result(result)


def _check_done(_: Piece, result: Any) -> None:
    if result != 1:
        raise unexpected_result(result)
