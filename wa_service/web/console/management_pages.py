"""The console's subscriptions, templates and script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, make_response, render_template, request

from wa_service.conversation.script_yaml import ScriptError
from wa_service.service.console import ConsoleServices
from wa_service.service.send import IdempotencyKey
from wa_service.service.template_preview import not_filled_in, preview, template_fields, template_message
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
from wa_service.web.problems import INVALID, ProblemError
from wa_service.web.template_routes import definitions
from wa_service.whatsapp.addresses import recipient_fields

_SUBSCRIPTION: Final = "There is no such subscription."
_PAUSED_BECAUSE: Final = {"by_hand": "by hand", "failing": "it failed for five days", "gone": "it answered 410"}
_LONGEST_SENTENCE: Final = 1_000


class ManagementPages:
    """The pages that are not about a customer."""

    def __init__(self, services: ConsoleServices, guard: Guard) -> None:
        self._services = services
        self._guard = guard

    def add_to(self, pages: Blueprint) -> None:
        """Add the pages."""
        pages.get("/subscriptions")(self.subscriptions_page)
        pages.post("/subscriptions/<name>/<action>")(self.change_subscription)
        pages.get("/templates")(self.templates_page)
        pages.get("/templates/<name>/<language>")(self.template_test_page)
        pages.post("/templates/<name>/<language>")(self.send_template_test)
        pages.get("/script")(self.script_page)
        pages.post("/script")(self.try_sentence)

    @allow("session: manage")
    def subscriptions_page(self) -> Response:
        """List subscriptions with state, lag and failures."""
        subscribers = self._services.subscribers
        rows = [(each, subscribers.lag_seconds(each)) for each in subscribers.all()]
        return make_response(render_template("console/subscriptions.html", rows=rows, reasons=_PAUSED_BECAUSE))

    @allow("session: manage")
    def change_subscription(self, name: str, action: str) -> Response:
        """Test, pause, resume or replay a subscription."""
        try:
            result = self._changed_subscription(name, action)
        except LookupError:
            not_found(_SUBSCRIPTION)
        self._guard.changed(f"subscription {action}", subscription=name)
        if result is None:
            return see("/console/subscriptions")
        return make_response(
            render_template("console/subscription_test.html", title="Test of a subscription", text=result)
        )

    def _changed_subscription(self, name: str, action: str) -> str | None:
        match action:
            case "pause":
                self._services.subscribers.pause(name)
            case "resume":
                self._services.subscribers.resume(name)
            case "replay":
                self._services.subscriptions.replay(name, request.form.get("after", "").strip())
            case "test":
                result = self._services.subscriptions.test(name)
                return f"It answered {result.status}." if result.status else f"It did not answer: {result.failure}."
            case _:
                not_found("There is no such action.")
        return None

    @allow("session: read")
    def templates_page(self) -> Response:
        """List templates with status, quality and preview."""
        templates = [(each, preview(each, {})) for each in self._definitions()]
        return make_response(render_template("console/templates.html", templates=templates))

    @allow("session: send")
    def template_test_page(self, name: str, language: str) -> Response:
        """Show the form to send a template to a number as a test."""
        return self._test_form(name, language, {}, shown=False)

    @allow("session: send")
    def send_template_test(self, name: str, language: str) -> Response:
        """Preview the template, or send it to the given number."""
        values = {key: value.strip() for key, value in request.form.items()}
        if values.get("do") != "send":
            return self._test_form(name, language, values, shown=True)
        address = re.sub(r"[ ()./+\-]", "", values.get("to", ""))
        key = IdempotencyKey(f"console.{current_session().key.name}", values.get("nonce", "")[:64] or "-")
        template = template_message(self._definition(name, language), values)
        body = {**recipient_fields(address), "type": "template", "template": template}
        try:
            sent = self._services.send.submit(
                body, priority=Priority.SINGLE, idempotency=key, wait=self._services.send_wait
            )
            self._guard.changed("template test", template=name[:512])
        except EXPECTED as error:
            return self._test_form(name, language, values, shown=True, problem=problem_of(error))
        return see(f"/console/messages/r{sent.id}")

    @allow("session: read")
    def script_page(self) -> Response:
        """Show the current script, and a form to try a sentence."""
        return self._script(None)

    @allow("session: read")
    def try_sentence(self) -> Response:
        """Show the intent and the replies of a sentence."""
        return self._script(request.form.get("text", "").strip()[:_LONGEST_SENTENCE])

    def _script(self, text: str | None) -> Response:
        script = self._services.script
        try:
            report = script.report()
            trial = script.attempt(text) if text else None
        except (ScriptError, OSError) as error:
            raise ProblemError(INVALID, f"The script cannot be used: {error}") from error
        page = render_template("console/script.html", script=script, report=report, trial=trial)
        return make_response(page)

    def _test_form(
        self,
        name: str,
        language: str,
        values: Mapping[str, str],
        *,
        shown: bool,
        problem: ProblemError | None = None,
    ) -> Response:
        definition = self._definition(name, language)
        page = render_template(
            "console/template_test.html",
            definition=definition,
            fields=template_fields(definition),
            lacking=not_filled_in(definition),
            values=values,
            preview=preview(definition, values) if shown else None,
            problem=problem,
            nonce=nonce_after(problem),
        )
        return respond(page, problem)

    def _definition(self, name: str, language: str) -> Mapping[str, Any]:
        named = [each for each in self._definitions() if (each.get("name"), each.get("language")) == (name, language)]
        if not named:
            not_found("There is no such template.")
        return named[0]

    def _definitions(self) -> list[Mapping[str, Any]]:
        return sorted(definitions(self._services.templates), key=lambda each: str(each.get("name")))
