"""`capture`: record events and dead letters, without personal details, for a replay by the emulator."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, say
from wa_service.push.meta_form import meta_envelope
from wa_service.store.stored_event import UnreadableEventError, read_event

if TYPE_CHECKING:
    from wa_service.runtime import Runtime

_PAGE = 1_000


@click.command
@click.option("--minutes", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="How far back.")
@click.option("--contact", default="", help="Only this customer: a number or user id.")
@click.option("--texts", is_flag=True, help="Keep texts; numbers in them are replaced.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(minutes: float, contact: str, texts: bool, file: Path) -> None:
    """Save received webhooks and the replies to them as YAML, without personal details.

    `meta-emulator replay FILE --service` replays it, which turns a bug report into a test. Review the file before
    you share it.
    """
    if find_spec("meta_emulator") is None:
        raise CommandError("The package meta_emulator, which replaces personal details, is not installed here.")
    with open_runtime(load_settings()) as runtime:
        found = _Capture(runtime, int((time.time() - minutes * 60) * 1000), contact).read()
    if not found["steps"]:
        raise CommandError("There is nothing to capture.")
    # By a pipe, so that personal details are never in a file.
    arguments = [sys.executable, "-m", "meta_emulator", "anonymize", *(["--texts"] if texts else []), str(file)]
    done = subprocess.run(arguments, input=orjson.dumps(found), capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("Error: ")
        raise CommandError(f"The recording was not written: {reason}")
    say(done.stdout.decode().strip())


class _Capture:
    """Reads the events since `since_ms`, and the dead letters, as webhooks and calls."""

    def __init__(self, runtime: Runtime, since_ms: int, contact: str) -> None:
        self._runtime = runtime
        self._since = since_ms
        self._wanted = {one.conversation for one in runtime.contacts.find(contact)} if contact else None
        self._display = runtime.events.display_numbers(runtime.numbers)
        self._account = runtime.settings.business_account_id or "0"
        self._seen: set[str] = set()

    def read(self) -> dict[str, Any]:
        """Return the steps in order; the recording replaces `numbers` and `account_id` by placeholders."""
        steps = sorted([*self._events(), *self._letters()], key=lambda step: step[0])
        began = steps[0][0] if steps else 0
        numbers = {number: self._display.get(number, number) for number in self._runtime.numbers}
        timed = [{"at": round((at - began) / 1000, 3), **step} for at, step in steps]
        return {"numbers": numbers, "account_id": self._account, "steps": timed}

    def _events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        cursor = f"{self._since}-0"
        while entries := self._runtime.events.after(cursor, _PAGE):
            cursor = entries[-1].cursor
            for entry in entries:
                if self._wanted is not None and entry.conversation not in self._wanted:
                    continue
                at = int(entry.cursor.partition("-")[0])
                if entry.kind == "send":
                    yield from ((at, step) for step in self._call(str(entry.data.get("id"))))
                    continue
                body = meta_envelope(
                    entry.kind, entry.conversation, orjson.dumps(entry.data), self._display, self._account
                )
                if body is not None:
                    if entry.kind == "message":
                        self._seen.add(str(entry.data.get("i")))
                    yield at, self._webhook(orjson.loads(body))

    def _call(self, record_id: str) -> Iterator[dict[str, Any]]:
        """Yield the call to Meta of a send that replies to a message; sends from the REST API are left out."""
        record = self._runtime.records.get(record_id)
        if record is None or record.origin is None or record.status in {"failed", "unknown"}:
            return
        body = orjson.loads(record.body) if record.body else {"type": record.type}
        path = f"/{self._runtime.settings.api_version}/{record.number}/messages"
        yield {"call": {"method": "POST", "path": path, "status": 200, "body": {**body, "to": record.to}}}

    def _letters(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield dead letters whose message is not among the events."""
        letters = self._runtime.dead_letters
        for letter in filter(None, map(letters.get, letters.ids())):
            wanted = self._wanted is None or letter.conversation in self._wanted
            try:
                piece = read_event(letter.event).piece
            except UnreadableEventError:
                continue
            if not wanted or letter.time < self._since or piece.id in self._seen or not isinstance(piece.raw, dict):
                continue
            if body := meta_envelope("message", letter.conversation, letter.event, self._display):
                yield letter.time, self._webhook(orjson.loads(body))

    def _webhook(self, envelope: dict[str, Any]) -> dict[str, Any]:
        for entry in envelope["entry"]:
            entry["id"] = self._account
        return {"webhook": envelope, "status": 200}
