"""`send`: one message by the road that every message takes; a worker sends it."""

from __future__ import annotations

import argparse
import json
import time
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
        from wa_service.service.send_request import read_send
        from wa_service.store.outbox import Priority
        from wa_service.web.problems import ProblemError

        try:
            asked = read_send(body, runtime.numbers, runtime.settings.send_ttl, priority=Priority.SINGLE, notify=None)
        except ProblemError as error:
            told = [error.detail or str(error), *(f"{field}: {sentence}" for field, sentence in error.fields)]
            raise CommandError(" ".join(told)) from None
        put = runtime.outbox.put(asked.send, opens=asked.opens)
        if put.outcome == "quota":
            raise CommandError(f"Today's customers are used up; a place is free in {put.retry_after:.0f} s.")
        if put.outcome != "queued":
            raise CommandError("This customer's lane is full.")
        end = time.monotonic() + options.wait
        record = runtime.records.get(put.id)
        while record is not None and record.waiting and time.monotonic() < end:
            time.sleep(0.05)
            record = runtime.records.get(put.id)
    status = record.status if record else "gone"
    say(f"{put.id}  {status}")
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
