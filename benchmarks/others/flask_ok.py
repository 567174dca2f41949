"""The minimal Flask receiver: it checks, reads and stores nothing."""

from flask import Flask

app = Flask(__name__)


@app.post("/webhooks/whatsapp")
def deliver() -> str:
    """Answer ok."""
    return "ok"


@app.get("/")
def alive() -> str:
    """Readiness check of the benchmark."""
    return "ok"
