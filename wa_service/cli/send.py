"""`send`: submit one message, as `POST /v1/messages` does; a worker sends it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.context import CommandError, opened
from wa_service.cli.terminal import say


def add_to(commands: Commands) -> None:
    """Add `send`."""
    parser = add_command(commands, "send", "Send one message and say what became of it.", _run)
    parser.add_argument("to", help="telephone number, digits with country code")
    parser.add_argument("text", nargs="?", help="what to write")
    parser.add_argument("--template", metavar="NAME", help="a template instead of a text")
    parser.add_argument("--language", default="en_US", help="of the template (%(default)s)")
    parser.add_argument("--message", metavar="JSON", help="any Meta message object instead, without `to`")
    parser.add_argument("--sender", metavar="ID", help="phone number id to send from (the first one)")
    parser.add_argument("--wait", type=float, default=10.0, help="seconds to wait for Meta's answer (%(default)s)")


def _run(options: argparse.Namespace, load: Load) -> int:
    body = _body(options)
    with opened(load()) as runtime:
        # Only here: a series takes its place among the shared ones when it is made.
        from wa_service.observability.metrics_buffer import MetricsBuffer
        from wa_service.service import wiring
        from wa_service.service.refusals import RefusedError
        from wa_service.store.outbox import Priority

        service = wiring.build(runtime, MetricsBuffer()).send
        try:
            submitted = service.submit(body, priority=Priority.SINGLE, wait=options.wait)
        except RefusedError as error:
            sentences = [str(error), *(f"{field}: {sentence}" for field, sentence in error.fields)]
            raise CommandError(" ".join(sentences)) from None
    record = submitted.record
    status = record.status if record else "gone"
    say(f"{submitted.id}  {status}")
    if record and record.error:
        say(json.dumps(dict(record.error), ensure_ascii=False))
    if record and record.waiting:
        say("It waits: is a worker running? `python -m wa_service check` tells.")
    return 1 if status in {"failed", "gone"} else 0


def _body(options: argparse.Namespace) -> dict[str, Any]:
    body: dict[str, Any] = {"to": options.to}
    if options.message:
        try:
            given = json.loads(options.message)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise CommandError('--message takes a JSON object, such as \'{"type": "text", "text": "hello"}\'.')
        body = {**given, **body}
    elif options.template:
        body["template"] = {"name": options.template, "language": options.language}
    elif options.text:
        body["text"] = options.text
    else:
        raise CommandError("Say what to send: a text, --template or --message.")
    if options.sender:
        body["from"] = options.sender
    return body
