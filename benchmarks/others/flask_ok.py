"""The least a Flask receiver can do: nothing is checked, nothing read, nothing kept."""

from flask import Flask

app = Flask(__name__)


@app.post("/webhooks/whatsapp")
def deliver() -> str:
    """Says ok."""
    return "ok"


@app.get("/")
def alive() -> str:
    """For the benchmark, to know that it is up."""
    return "ok"
