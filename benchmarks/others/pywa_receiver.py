"""pywa's Flask receiver with its signature check and a handler that does nothing."""

from flask import Flask
from pywa import WhatsApp, types  # type: ignore[import-not-found]  # in benchmarks/.venv

from benchmarks.payloads import ACCOUNT, NUMBER, SECRET

app = Flask(__name__)
client = WhatsApp(
    phone_id=NUMBER,
    token="token",
    server=app,
    webhook_endpoint="/webhooks/whatsapp",
    verify_token="verify",
    app_secret=SECRET,
    waba_id=ACCOUNT,
)


@client.on_message  # type: ignore[untyped-decorator]  # as above
def nothing(_: WhatsApp, __: types.Message) -> None:
    """Ignore the message."""


@app.get("/")
def alive() -> str:
    """Readiness check of the benchmark."""
    return "ok"
