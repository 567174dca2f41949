"""The console's dead letters: show, replay and drop them, also many at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from flask import Blueprint, Response, make_response, render_template, request

from wa_service.service.console import ConsoleServices
from wa_service.service.message_content import MessageContent, content_of
from wa_service.service.replay import NotReplayableError
from wa_service.store.dead_letters import DeadLetter
from wa_service.store.stored_event import UnreadableEventError, read_event
from wa_service.web.auth import allow
from wa_service.web.console.guard import Guard, current_session, see
from wa_service.web.problems import FORBIDDEN, INVALID, ProblemError

_PAGE: Final = 50
_CURSOR: Final = re.compile(r"[0-9]{1,15}-[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A dead letter on the page; `place`: that of its conversation, None if none of it is stored."""

    letter: DeadLetter
    content: MessageContent
    place: str | None

    @property
    def address(self) -> str:
        """Who wrote it."""
        return self.letter.conversation.partition(":")[2]


class DeadLetterPages:
    """The pages of dead letters."""

    def __init__(self, services: ConsoleServices, guard: Guard) -> None:
        self._services = services
        self._guard = guard

    def add_to(self, pages: Blueprint) -> None:
        """Add the pages."""
        pages.get("/dead-letters")(self.dead_letters_page)
        pages.post("/dead-letters")(self.change_dead_letters)

    @allow("session: read")
    def dead_letters_page(self) -> Response:
        """List fifty dead letters, oldest first, or the requested one."""
        letters = self._services.dead_letters
        if wanted := request.args.get("letter", "")[:128]:
            one = letters.get(wanted)
            found, following = ([one] if one else []), None
        else:
            after = request.args.get("after", "")
            found, following = letters.page(after if _CURSOR.fullmatch(after) else "", _PAGE)
        conversations = [letter.conversation for letter in found if letter.conversation]
        places = self._services.search.places(conversations)
        rows = [LetterRow(letter, _content(letter), places.get(letter.conversation)) for letter in found]
        page = render_template("console/dead_letters.html", rows=rows, following=following, one=bool(wanted))
        return make_response(page)

    @allow("session: send")
    def change_dead_letters(self) -> Response:
        """Replay or drop the selected ones; with `quiet` the response is for the page's script."""
        what, chosen = request.form.get("do"), request.form.getlist("letter")[:_PAGE]
        if what not in {"replay", "drop"}:
            raise ProblemError(INVALID, "Choose an action.")
        if not chosen:
            raise ProblemError(INVALID, "Select some dead letters first.")
        if what == "drop" and not current_session().may("admin"):
            raise ProblemError(FORBIDDEN, "This API key lacks the role `admin`.")
        failed = [reason for letter_id in chosen if (reason := self._change(what, letter_id))]
        if len(chosen) > len(failed):
            self._guard.changed(f"dead-letters {what}", count=len(chosen) - len(failed))
        if request.form.get("quiet"):
            return Response("\n".join(failed), 409 if failed else 204, content_type="text/plain; charset=utf-8")
        if failed:
            fields = [("letter", sentence) for sentence in failed]
            raise ProblemError(INVALID, f"{len(failed)} of {len(chosen)} failed.", fields=fields)
        return see("/console/dead-letters")

    def _change(self, what: str, letter_id: str) -> str:
        if what == "drop":
            return "" if self._services.dead_letters.drop(letter_id) else "It is no longer there."
        try:
            self._services.replay.replay(letter_id)
        except LookupError:
            return "It is no longer there."
        except NotReplayableError as reason:
            return str(reason)
        return ""


def _content(letter: DeadLetter) -> MessageContent:
    try:
        raw = read_event(letter.event).piece.raw
    except UnreadableEventError:
        return MessageContent("unreadable", "")
    if not isinstance(raw, Mapping):  # malformed: what Meta sent in place of an object
        return MessageContent("unreadable", orjson.dumps(raw).decode())
    return content_of(raw)
