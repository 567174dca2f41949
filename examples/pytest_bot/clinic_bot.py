"""A clinic's bot: books an appointment in three steps, can be cancelled, and hands over to a person.

It is an HTTP responder of wa_service: one POST per message; its response is sent to the customer.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request


def create_app() -> Flask:
    """Return the bot as a Flask application."""
    app = Flask(__name__)
    bookings: dict[str, list[str]] = {}
    with_staff: set[str] = set()

    @app.post("/answer")
    def answer() -> tuple[dict[str, Any], int]:
        asked = request.get_json()
        conversation, text = asked["conversation"], asked["text"].strip().lower()
        if text == "bot":
            with_staff.discard(conversation)
            return _text("I am back. Write 'book' for an appointment.")
        if conversation in with_staff:
            return {}, 204
        if text == "human":
            bookings.pop(conversation, None)
            with_staff.add(conversation)
            return _text("A colleague will write to you.")
        if text == "cancel":
            known = bookings.pop(conversation, None)
            return _text("Cancelled." if known is not None else "There is nothing to cancel.")
        if text == "book":
            bookings[conversation] = []
            return _buttons("Which doctor?", "Dr. Adams", "Dr. Baker")
        if conversation in bookings:
            return _next_step(bookings, conversation, asked["text"].strip())
        return _text("I book appointments: write 'book', 'cancel' or 'human'.")

    @app.post("/reset")
    def reset() -> tuple[dict[str, Any], int]:
        bookings.clear()
        with_staff.clear()
        return {}, 204

    return app


def _next_step(bookings: dict[str, list[str]], conversation: str, text: str) -> tuple[dict[str, Any], int]:
    steps = bookings[conversation]
    steps.append(text)
    if len(steps) == 1:
        return _text(f"{text}: on which day?")
    if len(steps) == 2:
        return _buttons(f"{steps[1]}: morning or afternoon?", "Morning", "Afternoon")
    del bookings[conversation]
    return _text(f"Booked: {steps[0]}, {steps[1]}, {steps[2].lower()}.")


def _text(body: str) -> tuple[dict[str, Any], int]:
    return {"messages": [{"type": "text", "text": {"body": body}}]}, 200


def _buttons(body: str, *titles: str) -> tuple[dict[str, Any], int]:
    buttons = [{"type": "reply", "reply": {"id": title.lower(), "title": title}} for title in titles]
    content = {"type": "button", "body": {"text": body}, "action": {"buttons": buttons}}
    return {"messages": [{"type": "interactive", "interactive": content}]}, 200
