"""A responder that keeps state: it books a table in two steps.

RESPONDER_SECRET=whsec_… flask --app examples/responder.py run --port 5005
Then WA_RESPONDER=http, WA_RESPONDER_URL=http://127.0.0.1:5005/answer, WA_RESPONDER_SECRET the same secret.
"""

import os
from typing import Any

from flask import Flask, abort, request
from standardwebhooks import Webhook, WebhookVerificationError

PICTURE = "https://shop.example.com/table.jpg"


def create_app(secret: str | None = None) -> Flask:
    """Return the responder; `secret` is the one with which the service signs."""
    app = Flask(__name__)
    webhook = Webhook(secret or os.environ["RESPONDER_SECRET"])
    answers: dict[str, Any] = {}  # webhook-id -> our answer; expire them in production
    booking: set[str] = set()  # conversations that we asked "for how many?"

    @app.post("/answer")
    def answer() -> Any:
        try:
            asked = webhook.verify(request.get_data(), dict(request.headers))
        except WebhookVerificationError:
            abort(401)
        request_id = request.headers["webhook-id"]
        if request_id not in answers:  # a retry gets the same answer and books nothing twice
            answers[request_id] = reply(asked)
        return answers[request_id]

    def reply(asked: dict[str, Any]) -> dict[str, Any]:
        people = (asked["choice"] or asked["text"]).removeprefix("people-")
        if asked["conversation"] in booking and any(sign.isdigit() for sign in people):
            booking.discard(asked["conversation"])
            booked = f"Booked for {people}. See you tonight, {asked['name']}!"
            return {"messages": [{"text": booked}, {"type": "image", "image": {"link": PICTURE}}]}
        if "person" in asked["text"].lower():  # a colleague answers for the next half hour
            return {"messages": [{"text": "A colleague writes to you."}], "pause": 1800, "mark_read": False}
        if "table" in asked["text"].lower():
            booking.add(asked["conversation"])
            return {"messages": [buttons("With pleasure. For how many?", {"people-2": "Two", "people-4": "Four"})]}
        return {"messages": [{"text": "I book tables. Just say: a table, please."}]}

    return app


def buttons(text: str, titles: dict[str, str]) -> dict[str, Any]:
    """Return up to three reply buttons; the pressed one is sent back as `choice`."""
    replies = [{"type": "reply", "reply": {"id": id_, "title": title}} for id_, title in titles.items()]
    return {
        "type": "interactive",
        "interactive": {"type": "button", "body": {"text": text}, "action": {"buttons": replies}},
    }
