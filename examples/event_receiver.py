"""A subscriber: receives pushed events, deduplicates them, and prints who wrote.

SECRET=whsec_… flask --app examples/event_receiver.py run --port 5006
Then: python -m wa_service subscriptions create http://127.0.0.1:5006/events   (with WA_PUSH_ALLOW=127.0.0.0/8)
"""

import os

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError


def create_app(secret: str | None = None) -> Flask:
    """Return the receiver; `secret` is the subscription's secret."""
    app = Flask(__name__)
    webhook = Webhook(secret or os.environ["SECRET"])
    taken: set[str] = set()  # event ids; use a database in production

    @app.post("/events")
    def take() -> tuple[str, int]:
        try:
            event = webhook.verify(request.get_data(), dict(request.headers))
        except WebhookVerificationError:
            return "", 401
        # Events are delivered at least once; a repeat has the same id.
        event_id = request.headers["webhook-id"]
        if event_id not in taken:
            if event["kind"] == "message":
                app.logger.warning("%s wrote a %s", event["contact"], event["data"]["type"])
            taken.add(event_id)
        return "", 204

    return app
