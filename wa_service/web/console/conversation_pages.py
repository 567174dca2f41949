"""The pages of search, of a conversation and of one message's story, and the actions in a conversation."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, make_response, render_template, request

from wa_service.service.console import ConsoleServices
from wa_service.service.conversation_view import ConversationPage
from wa_service.service.message_story import reason_of, story_of
from wa_service.service.send import IdempotencyKey
from wa_service.service.template_preview import not_filled_in, preview, template_fields, template_message
from wa_service.store.contacts import Contact
from wa_service.store.outbox import Priority
from wa_service.web.auth import allow
from wa_service.web.console.guard import (
    EXPECTED,
    Guard,
    current_session,
    nonce_after,
    not_found,
    problem_of,
    respond,
    see,
)
from wa_service.web.media_routes import media_response
from wa_service.web.problems import INVALID, ProblemError
from wa_service.web.template_routes import definitions
from wa_service.whatsapp.addresses import is_user_id, recipient_fields
from wa_service.whatsapp.phone_numbers import is_number

_GONE: Final = "This conversation is unknown, or no longer stored."
_MESSAGE_GONE: Final = "This message is unknown, or no longer stored."
_PAUSES: Final = {"1800": "30 minutes", "14400": "4 hours", "86400": "a day", "604800": "a week"}
_BATCH_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
FORGET_WORD: Final = "forget"
SHOWN_TYPES: Final = frozenset(
    {"image/jpeg", "image/png", "image/webp", "audio/aac", "audio/amr", "audio/mp4", "audio/mpeg", "audio/ogg"}
    | {"video/3gpp", "video/mp4"}
)
"""Types that a browser may show; any other, SVG above all, is downloaded."""
_KEPT_MS: Final = {"in": 7 * 86_400_000, "out": 30 * 86_400_000, "echo": 7 * 86_400_000}


class ConversationPages:
    """The pages of conversations."""

    def __init__(self, services: ConsoleServices, guard: Guard) -> None:
        self._services = services
        self._guard = guard

    def add_to(self, pages: Blueprint) -> None:
        """Add the pages."""
        at = "/conversations/<place>"
        pages.get("/search")(self.search_page)
        pages.post("/search")(self.search)
        pages.get(at)(self.conversation_page)
        pages.get("/messages/<place>")(self.message_page)
        pages.get("/messages/<place>/file")(self.file)
        pages.post(f"{at}/stop")(self.stop)
        pages.post(f"{at}/start")(self.start)
        pages.get(f"{at}/template")(self.template_page)
        pages.get(f"{at}/forget")(self.forget_page)
        pages.post(f"{at}/write")(self.write)
        pages.post(f"{at}/template")(self.send_template)
        pages.post(f"{at}/pause")(self.pause)
        pages.post(f"{at}/wake")(self.wake)
        pages.post(f"{at}/forget")(self.forget)

    @allow("session: read")
    def search_page(self) -> Response:
        """Show the form and recent conversations."""
        found = self._services.search.recent()
        return make_response(render_template("console/search.html", found=found, wanted=None))

    @allow("session: read")
    def search(self) -> Response:
        """List what was found, or redirect to the only result. By POST, so that no number is in a URL."""
        wanted = request.form.get("wanted", "").strip()
        if _BATCH_ID.fullmatch(wanted) and self._services.batches.get(wanted) is not None:
            return see(f"/console/batches/{wanted}")
        found = self._services.search.find(wanted)
        if len(found) == 1:
            return see(f"/console/conversations/{found[0].place}")
        return make_response(render_template("console/search.html", found=found, wanted=wanted))

    @allow("session: read")
    def conversation_page(self, place: str) -> Response:
        """Show a conversation, the newest message last."""
        since = self._services.live.now()
        try:
            page = self._services.conversations.at(place, request.args.get("before", "")[:256])
        except LookupError:
            not_found("This part of the conversation is no longer stored.")
        if page is None:
            not_found(_GONE)
        near = (*page.messages, *page.later)
        reasons = {message.place: reason for message in page.messages if (reason := reason_of(message, near))}
        return self._shown(place, page, reasons=reasons, since=since)

    @allow("session: read")
    def message_page(self, place: str) -> Response:
        """Show each step of one message, with times."""
        found = self._services.conversations.around(place)
        if found is None:
            not_found(_MESSAGE_GONE)
        message, near = found
        steps = story_of(message, near)
        return make_response(
            render_template(
                "console/message.html",
                message=message,
                kept_ms=_KEPT_MS,
                steps=steps,
                whole=(steps[-1].at - steps[0].at) / 1000 if steps else 0,
                reason=reason_of(message, near),
                answers=[other for other in near if message.reference and other.answers == message.reference],
            )
        )

    @allow("session: read")
    def file(self, place: str) -> Response:
        """Return a message's file from Meta: shown if it is an image, audio or video, else downloaded."""
        found = self._services.conversations.around(place, 0)
        file = found[0].content.file if found else None
        number = self._services.conversations.number_of(place)
        if file is None or number is None or number not in self._services.numbers:
            not_found("This message has no file, or is no longer stored.")
        return media_response(lambda: self._services.open_media(number, file.id), SHOWN_TYPES, request.range)

    @allow("session: send")
    def write(self, place: str) -> Response:
        """Send a text inside the service window."""
        contact = self._contact(place)
        text = request.form.get("text", "").strip()
        if not text:
            raise ProblemError(INVALID, "Type a message first.")
        try:
            self._submit(contact, {"type": "text", "text": {"body": text}})
            self._guard.changed("write", contact.conversation)
        except EXPECTED as error:
            problem = problem_of(error)
            nonce = nonce_after(problem)
            page = render_template("console/write.html", place=place, text=text, problem=problem, nonce=nonce)
            return respond(page, problem)
        return see(f"/console/conversations/{place}#end")

    @allow("session: send")
    def template_page(self, place: str) -> Response:
        """Show the form to choose a template and fill it in."""
        name, language = request.args.get("name", ""), request.args.get("language", "")
        return self._template_form(place, self._contact(place), name, language, {}, shown=False)

    @allow("session: send")
    def send_template(self, place: str) -> Response:
        """Preview a template with its values, or send it."""
        contact = self._contact(place)
        name, language = request.form.get("name", ""), request.form.get("language", "")
        values = {key: value.strip() for key, value in request.form.items() if "-" in key}
        if request.form.get("do") != "send":
            return self._template_form(place, contact, name, language, values, shown=True)
        definition = self._definition(name, language)
        if definition is None:
            not_found("There is no such template.")
        try:
            self._submit(contact, {"type": "template", "template": template_message(definition, values)})
            self._guard.changed("write", contact.conversation, template=name[:512])
        except EXPECTED as error:
            return self._template_form(place, contact, name, language, values, shown=True, problem=problem_of(error))
        return see(f"/console/conversations/{place}#end")

    @allow("session: send")
    def pause(self, place: str) -> Response:
        """Pause the responder for some time."""
        seconds = request.form.get("seconds", "")
        if seconds not in _PAUSES:
            raise ProblemError(INVALID, "Choose a duration.")
        contact = self._contact(place)
        self._services.contacts.pause(contact.address, int(seconds))
        self._guard.changed("pause", contact.conversation, seconds=int(seconds))
        return see(f"/console/conversations/{place}")

    @allow("session: send")
    def wake(self, place: str) -> Response:
        """Resume the responder."""
        contact = self._contact(place)
        self._services.contacts.pause(contact.address, 0)
        self._guard.changed("wake", contact.conversation)
        return see(f"/console/conversations/{place}")

    @allow("session: send")
    def stop(self, place: str) -> Response:
        """Stop marketing to this customer."""
        return self._set_stop(place, is_stop=True)

    @allow("session: manage")
    def start(self, place: str) -> Response:
        """Allow marketing to this customer again."""
        return self._set_stop(place, is_stop=False)

    def _set_stop(self, place: str, *, is_stop: bool) -> Response:
        contact = self._contact(place)
        if _is_group(contact):
            raise ProblemError(INVALID, "A group has no STOP: open the conversation of the customer who wants it.")
        self._services.stops.apply(contact.address, stop=is_stop, by="api")
        self._guard.changed("stop" if is_stop else "start", contact.conversation)
        return see(f"/console/conversations/{place}")

    @allow("session: admin")
    def forget_page(self, place: str) -> Response:
        """Ask for confirmation."""
        contact = self._contact(place)
        return make_response(render_template("console/forget.html", place=place, contact=contact, word=FORGET_WORD))

    @allow("session: admin")
    def forget(self, place: str) -> Response:
        """Erase a person."""
        contact = self._contact(place)
        if request.form.get("confirm", "").strip().casefold() != FORGET_WORD:
            raise ProblemError(INVALID, f"Type the word “{FORGET_WORD}” to erase this person.")
        erased = self._services.contacts.forget(contact.address)
        self._guard.changed("forget", erased=erased)
        return make_response(render_template("console/forgotten.html", erased=erased))

    def _shown(self, place: str, page: ConversationPage, **more: Any) -> Response:
        values = {
            "place": place,
            "page": page,
            "contact": page.contact,
            "is_group": _is_group(page.contact),
            "pauses": _PAUSES,
            "kept_ms": _KEPT_MS,
            "stopped": self._services.stops.find(page.contact.address),
            "nonce": secrets.token_urlsafe(12),
        }
        return make_response(render_template("console/conversation.html", **values, **more))

    def _contact(self, place: str) -> Contact:
        page = self._services.conversations.at(place, count=1)
        if page is None:
            not_found(_GONE)
        return page.contact

    def _template_form(
        self,
        place: str,
        contact: Contact,
        name: str,
        language: str,
        values: Mapping[str, str],
        *,
        shown: bool,
        problem: ProblemError | None = None,
    ) -> Response:
        definition = self._definition(name, language)
        approved = [each for each in definitions(self._services.templates) if each.get("status") == "APPROVED"]
        page = render_template(
            "console/template_form.html",
            place=place,
            contact=contact,
            templates=approved,
            definition=definition,
            fields=template_fields(definition) if definition else [],
            lacking=not_filled_in(definition) if definition else [],
            values=values,
            preview=preview(definition, values) if definition and shown else None,
            problem=problem,
            nonce=nonce_after(problem),
        )
        return respond(page, problem)

    def _definition(self, name: str, language: str) -> Mapping[str, Any] | None:
        known = definitions(self._services.templates)
        return next((each for each in known if (each.get("name"), each.get("language")) == (name, language)), None)

    def _submit(self, contact: Contact, message: Mapping[str, Any]) -> None:
        """Send to a customer; the form's nonce is the idempotency key, so that a resubmitted form sends once."""
        nonce = request.form.get("nonce", "")[:64]
        key = IdempotencyKey(f"console.{current_session().key.name}", nonce) if nonce else None
        body = {"from": contact.number, **recipient_fields(contact.address, group=_is_group(contact)), **message}
        self._services.send.submit(body, priority=Priority.SINGLE, idempotency=key, wait=self._services.send_wait)


def _is_group(contact: Contact) -> bool:
    return not is_number(contact.address) and not is_user_id(contact.address)
