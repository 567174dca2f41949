"""A tool that answers customers, and remembers: it books a table in two steps.

RESPONDER_SECRET=whsec_… flask --app examples/responder.py run --port 5005
Then WA_RESPONDER=http, WA_RESPONDER_URL=http://127.0.0.1:5005/answer, WA_RESPONDER_SECRET the same secret.
"""

import base64
import hashlib
import hmac
import os
import time

from flask import Flask, abort, request


def create_app(secret: str | None = None) -> Flask:
    """The tool, for the secret that the service signs with."""
    app = Flask(__name__)
    key = base64.b64decode((secret or os.environ["RESPONDER_SECRET"]).removeprefix("whsec_"))
    said: dict[str, str] = {}  # message id -> our answer; give it a lifetime in real life
    booking: set[str] = set()  # conversations that we asked "for how many?"

    @app.post("/answer")
    def answer() -> dict[str, object]:
        id_, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        digest = hmac.digest(key, f"{id_}.{stamp}.".encode() + request.get_data(), hashlib.sha256)
        genuine = hmac.compare_digest("v1," + base64.b64encode(digest).decode(), request.headers["webhook-signature"])
        if not genuine or abs(time.time() - int(stamp)) > 300:
            abort(401)
        if id_ not in said:  # a repetition gets the same answer, and books nothing twice
            said[id_] = reply(request.get_json())
        return {"messages": [{"type": "text", "text": {"body": said[id_]}}]}

    def reply(asked: dict[str, str]) -> str:
        if asked["conversation"] in booking and any(sign.isdigit() for sign in asked["text"]):
            booking.discard(asked["conversation"])
            return f"Booked: {asked['text']}. See you tonight, {asked['name']}!"
        if "table" in asked["text"].lower():
            booking.add(asked["conversation"])
            return "With pleasure. For how many?"
        return "I book tables. Just say: a table, please."

    return app
