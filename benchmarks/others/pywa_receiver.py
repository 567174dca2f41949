"""pywa's own Flask receiver with its signature check, and a handler that does nothing."""

from flask import Flask
from pywa import WhatsApp, types  # type: ignore[import-not-found]  # installed beside us

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
    """Takes the message and forgets it."""


@app.get("/")
def alive() -> str:
    """For the benchmark, to know that it is up."""
    return "ok"
