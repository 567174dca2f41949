"""`send`: submit one message, as `POST /v1/messages` does; a worker sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, say
from wa_service.service.refusals import RefusedError
from wa_service.store.outbox import Priority
from wa_service.whatsapp.addresses import is_user_id
from wa_service.whatsapp.errors import CODES

_LONGEST_UNIX_TIME = 12  # digits


@click.command
@click.argument("to")
@click.argument("text", required=False)
@click.option("--template", metavar="NAME", help="A template instead of a text.")
@click.option("--language", default="en_US", show_default=True, help="The template's language.")
@click.option("--message", metavar="JSON", help="Any Meta message object instead, without `to`.")
@click.option("--sender", metavar="ID", help="Phone number id to send from; default: the first one.")
@click.option("--at", metavar="TIME", help="When to send it: RFC 3339 with a time zone, or Unix seconds.")
@click.option("--wait", type=float, default=10.0, show_default=True, help="Seconds to wait for Meta's answer.")
def command(
    to: str,
    text: str | None,
    template: str | None,
    language: str,
    message: str | None,
    sender: str | None,
    at: str | None,
    wait: float,
) -> int:
    """Send one message and print its status.

    TO is a telephone number, digits with country code, or a business-scoped user id; TEXT is the message.
    """
    recipient = {"recipient": to} if is_user_id(to) else {"to": to}
    body = {**_content(text, template, language, message), **recipient, **({"from": sender} if sender else {})}
    if at:
        body["send_at"] = read_time(at)
    with open_runtime(load_settings()) as runtime:
        # Imported late: a metric series takes its slot in the shared files when it is created.
        from wa_service.observability.metrics_buffer import MetricsBuffer
        from wa_service.service import wiring

        service = wiring.build(runtime, MetricsBuffer()).send
        try:
            submitted = service.submit(body, priority=Priority.SINGLE, wait=wait)
        except RefusedError as error:
            sentences = [str(error), *(f"{field}: {sentence}" for field, sentence in error.fields)]
            raise CommandError(" ".join(sentences)) from None
    record = submitted.record
    status = record.status if record else "gone"
    say(f"{submitted.id}  {status}")
    if record and record.error:
        say(_reason(record.error))
    if record and record.waiting:
        say("It waits. Check with `python -m wa_service check` that a worker is running.")
    return 1 if status in {"failed", "gone"} else 0


def read_time(given: str) -> str | int:
    """Return a time for `send_at`: Unix seconds as a number, anything else unchanged."""
    return int(given) if given.isdecimal() and len(given) <= _LONGEST_UNIX_TIME else given


def _reason(error: Mapping[str, Any]) -> str:
    """Return Meta's error and what to do about it, as the REST API shows them."""
    code = error.get("code")
    known = CODES.get(code) if isinstance(code, int) else None
    if known is None:
        return json.dumps(dict(error), ensure_ascii=False)
    return f"{error.get('title') or 'Meta refused the message'} ({code}). {known.advice}"


def _content(text: str | None, template: str | None, language: str, message: str | None) -> dict[str, Any]:
    if sum(bool(given) for given in (text, template, message)) != 1:
        raise CommandError("Give one of a text, --template and --message.")
    if message:
        try:
            given = json.loads(message)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise CommandError('--message takes a JSON object, such as \'{"type": "text", "text": "hello"}\'.')
        return {name: value for name, value in given.items() if name not in {"to", "recipient"}}
    if template:
        return {"template": {"name": template, "language": language}}
    return {"text": text}
