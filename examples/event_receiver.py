"""A subscriber: takes pushed events, once each, and prints who wrote.

SECRET=whsec_… flask --app examples/event_receiver.py run --port 5006
Then: python -m wa_service subscriptions create http://127.0.0.1:5006/events   (with WA_PUSH_ALLOW=127.0.0.0/8)
"""

import os

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError


def create_app(secret: str | None = None) -> Flask:
    """The receiver, for the secret that the subscription was made with."""
    app = Flask(__name__)
    webhook = Webhook(secret or os.environ["SECRET"])
    taken: set[str] = set()  # ids of events; a database in real life

    @app.post("/events")
    def take() -> tuple[str, int]:
        try:
            event = webhook.verify(request.get_data(), dict(request.headers))
        except WebhookVerificationError:
            return "", 401
        # An event is delivered at least once; its id stays the same.
        event_id = request.headers["webhook-id"]
        if event_id not in taken:
            if event["kind"] == "message":
                app.logger.warning("%s wrote a %s", event["contact"], event["data"]["type"])
            taken.add(event_id)
        return "", 204

    return app
