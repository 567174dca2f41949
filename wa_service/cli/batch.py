"""`batch`: send to all customers in a CSV file; watch, pause, resume and cancel batches; report on each item."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wa_service.cli.batch_dry_run import definition_of, sentence_of, tell_problems, try_batch
from wa_service.cli.batch_file import CustomerFile, read_customers
from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.send import read_time
from wa_service.cli.terminal import CommandError, complain, say, table
from wa_service.service.batch_request import MOST_ITEMS, BatchRequest, placeholders, read_batch, rename_placeholders
from wa_service.service.refusals import RefusedError, SubmitUnavailableError
from wa_service.service.send import IdempotencyKey
from wa_service.store.batches import Batch, ItemProblem
from wa_service.store.records import Record, RecordFilter

if TYPE_CHECKING:
    from wa_service.runtime import Runtime
    from wa_service.service.batches import BatchService
    from wa_service.service.wiring import Services

CALLER = "command-line"
LOOK_SECONDS = 0.5
_OPEN = ("scheduled", "queued")


@click.group(invoke_without_command=True, subcommand_metavar="[list|send|show|report|pause|resume|cancel]")
@click.pass_context
def command(context: click.Context) -> int | None:
    """Send to many customers at once, and watch, pause or cancel batches."""
    if context.invoked_subcommand is None:
        with _opened() as (_, services):
            return _list(services.batches)
    return None


@command.command("list")
def list_batches() -> int:
    """List batches, newest first (the default)."""
    with _opened() as (_, services):
        return _list(services.batches)


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--template", metavar="NAME", help="The template to send.")
@click.option("--language", default="en_US", show_default=True, help="The template's language.")
@click.option(
    "--body", "body", multiple=True, metavar="TEXT", help="A value of the template's body, such as '{{ name }}'."
)
@click.option("--header", metavar="TEXT", help="The value of the template's header.")
@click.option("--message", metavar="JSON", help="Any Meta message object instead of a template.")
@click.option("--sender", metavar="ID", help="Phone number id to send from; default: the first one.")
@click.option("--tag", help="A label; default: the file's name.")
@click.option("--send-at", metavar="TIME", help="When to begin: RFC 3339 with a time zone, or Unix seconds.")
@click.option("--quiet", metavar="HOURS", help="Such as '21:00-08:00 Europe/Berlin'; without a zone in the customer's.")
@click.option("--stop-failed", metavar="SHARE:AFTER", help="Pause once this share has failed, such as 0.2:200.")
@click.option("--dry-run", is_flag=True, help="Show three messages and count all; send nothing.")
@click.option("--progress", "watch", is_flag=True, help="Show progress until everything is sent.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Show progress, then write all outcomes as CSV."
)
def send(file: Path, *, dry_run: bool, watch: bool, report: Path | None, **options: Any) -> int:
    """Send one message to all customers in a CSV file.

    The first line of FILE holds the column names. Column `to` is the number; any other is a value that the message may
    use as {{ column }}. Values are separated by commas, semicolons or tabs. The same file with the same options is
    sent only once, even if the command is repeated, until its batch is deleted after WA_RETENTION_DAYS.
    """
    customers = read_customers(file)
    content = _content(options)
    _check_names(content, customers)
    with _opened() as (runtime, services):
        requests = _requests(customers, content, options, file, services.batches.schedule_days)
        _warn_of_repeated(customers)
        if dry_run:
            return try_batch(services, requests, customers)
        definition_of(services, requests[0])
        if report is not None:
            _check_report(report, file)
        key = _key(file, options)
        return _send(runtime, services, requests, customers, key, watch=watch or report is not None, report=report)


@command.command("show")
@click.argument("batch", metavar="ID")
def show_progress(batch: str) -> int:
    """Show a batch's progress."""
    with _opened() as (_, services):
        return _show(_found(services.batches.get(batch), batch))


@command.command("report")
@click.argument("batch", metavar="ID")
def write_report(batch: str) -> int:
    """Print each message's outcome as CSV."""
    with _opened() as (runtime, services):
        _found(services.batches.get(batch), batch)
        _report(runtime, [batch], sys.stdout)
    return 0


@command.command("pause")
@click.argument("batch", metavar="ID")
def pause_running(batch: str) -> int:
    """Pause a batch: send nothing more of it until it is resumed."""
    return _change(batch, lambda service: service.pause)


@command.command("resume")
@click.argument("batch", metavar="ID")
def resume_paused(batch: str) -> int:
    """Resume a paused batch; earlier failures no longer count towards --stop-failed."""
    return _change(batch, lambda service: service.resume)


@command.command()
@click.argument("batch", metavar="ID")
def cancel(batch: str) -> int:
    """Cancel everything of a batch that has not been sent."""
    return _change(batch, lambda service: service.cancel)


@contextmanager
def _opened() -> Iterator[tuple[Runtime, Services]]:
    with open_runtime(load_settings()) as runtime:
        # Imported late: a metric series takes its slot in the shared files when it is created.
        from wa_service.observability.metrics_buffer import MetricsBuffer
        from wa_service.service import wiring

        try:
            yield runtime, wiring.build(runtime, MetricsBuffer())
        except RefusedError as error:
            sentences = [str(error), *(f"{field}: {sentence}" for field, sentence in error.fields)]
            raise CommandError(" ".join(sentences)) from None


def _check_names(content: Mapping[str, Any], customers: CustomerFile) -> None:
    """Raise CommandError for a placeholder without a column, instead of refusing each line for it."""
    missing = sorted(set(placeholders(content)) - set(customers.names))
    if missing:
        raise CommandError(
            f"The message uses {{{{ {missing[0]} }}}}, but the file has no such column; it has: "
            f"{', '.join(customers.names)}."
        )


def _warn_of_repeated(customers: CustomerFile) -> None:
    repeated = len(customers.repeated())
    if repeated:
        numbers = "1 number is" if repeated == 1 else f"{repeated:,} numbers are"
        complain(f"{numbers} in more than one row: a message is sent for each row.")


def _requests(
    customers: CustomerFile, content: Mapping[str, Any], options: Mapping[str, Any], file: Path, schedule_days: int
) -> list[BatchRequest]:
    """Return the batches, one for each 10,000 customers."""
    # A column is only a value: one that is named like a part of a message must not be that part.
    names = {name: "to" if name == "to" else f"column_{place}" for place, name in enumerate(customers.names)}
    body: dict[str, Any] = {"tag": (options["tag"] or file.stem)[:64], **rename_placeholders(content, names)}
    send_at = read_time(options["send_at"]) if options["send_at"] else None
    given = {"from": options["sender"], "send_at": send_at, "quiet": options["quiet"]}
    body |= {name: value for name, value in given.items() if value}
    if options["stop_failed"]:
        body["stop_when"] = _stop_when(options["stop_failed"])
    items = [{names[name]: value for name, value in row.values.items()} for row in customers.rows]
    parts = [items[first : first + MOST_ITEMS] for first in range(0, len(items), MOST_ITEMS)]
    return [read_batch(body | {"items": part}, schedule_days=schedule_days) for part in parts]


def _content(options: Mapping[str, Any]) -> dict[str, Any]:
    if (options["template"] is None) == (options["message"] is None):
        raise CommandError("Give --template or --message.")
    if options["template"]:
        template = {"name": options["template"], "language": options["language"]}
        values = {"body": list(options["body"]), "header": options["header"]}
        return {"template": template | {name: value for name, value in values.items() if value}}
    try:
        message = json.loads(options["message"])
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise CommandError('--message takes a JSON object, such as \'{"text": "Hello {{ name }}"}\'.')
    return {"message": message}


def _stop_when(given: str) -> dict[str, Any]:
    share, _, after = given.partition(":")
    try:
        return {"failed_share": float(share), "after": int(after)}
    except ValueError:
        raise CommandError("--stop-failed takes a share and a number, such as 0.2:200.") from None


def _key(file: Path, options: Mapping[str, Any]) -> str:
    digest = blake2b(file.read_bytes(), digest_size=16)
    digest.update(json.dumps(options, sort_keys=True).encode())
    return digest.hexdigest()


def _send(
    runtime: Runtime,
    services: Services,
    requests: Sequence[BatchRequest],
    customers: CustomerFile,
    key: str,
    *,
    watch: bool,
    report: Path | None,
) -> int:
    ids: list[str] = []
    problems: list[ItemProblem] = []
    with click.progressbar(
        length=sum(len(request.places) for request in requests), label="Storing", file=sys.stderr
    ) as bar:
        for part, request in enumerate(requests):
            before = bar.pos
            try:
                taken = services.batches.submit(
                    request,
                    caller=CALLER,
                    fingerprint=key,
                    idempotency=IdempotencyKey(CALLER, f"{key}-{part}"),
                    progress=lambda done, before=before: bar.update(before + done - bar.pos),  # type: ignore[misc]  # bound now
                )
            except SubmitUnavailableError:
                raise CommandError(
                    "Redis does not answer, or is nearly full. The batch may have been started: run the same command "
                    "again, which continues where it stopped and sends nothing twice."
                ) from None
            ids.append(taken.id)
            again = " (again)" if taken.is_replay else ""
            problems += [
                ItemProblem(part * MOST_ITEMS + each.index, each.sentence, each.fields) for each in taken.refused
            ]
            say(f"{taken.id}  {taken.taken:,} taken, {len(taken.refused):,} refused{again}")
    tell_problems(problems, customers)
    if watch:
        _watch(services.batches, ids)
        if report is not None:
            with report.open("w", encoding="utf-8", newline="") as out:
                _report(runtime, ids, out)
            say(f"Each message's outcome is in {report}.")
    return 1 if problems else 0


def _check_report(report: Path, file: Path) -> None:
    """Raise CommandError where the report could not be written after hours of sending, or would replace the file.

    With a file that has changed, the same command would send to all of its customers again.
    """
    if report.exists() and report.samefile(file):
        raise CommandError(f"The report would replace {file}: name another file.")
    try:
        report.open("a", encoding="utf-8").close()
    except OSError as error:
        raise CommandError(f"{report} cannot be written: {error.strerror}.") from None


def _watch(service: BatchService, ids: Sequence[str]) -> None:
    """Show progress until everything is sent, or the batches no longer run."""
    batches = [_found(service.get(batch_id), batch_id) for batch_id in ids]
    with click.progressbar(length=sum(batch.total for batch in batches), label="Sending", file=sys.stderr) as bar:
        while True:
            batches = [_found(service.get(batch_id), batch_id) for batch_id in ids]
            left = sum(batch.counts.get(status, 0) for batch in batches for status in _OPEN)
            bar.update(max(0, sum(batch.total for batch in batches) - left - bar.pos))
            if all(batch.state != "running" for batch in batches):
                break
            time.sleep(LOOK_SECONDS)
    for batch in batches:
        _show(batch)


def _report(runtime: Runtime, ids: Sequence[str], out: Any) -> None:
    rows = csv.writer(out)
    rows.writerow(("batch", "item", "to", "id", "status", "reason", "title"))
    for batch_id in ids:
        after: str | None = ""
        while after is not None:
            found, after = runtime.records.page(RecordFilter(batch=batch_id), after, 1_000)
            rows.writerows(_reported(batch_id, record) for record in found)
        after = ""
        while after is not None:
            refused, after = runtime.batches.refused(batch_id, after, 1_000)
            rows.writerows((batch_id, each.index, "", "", "refused", "", sentence_of(each)) for each in refused)


def _reported(batch_id: str, record: Record) -> tuple[str, ...]:
    error = record.error or {}
    reason = error.get("code") or error.get("reason") or ""
    place = "" if record.batch_index is None else str(record.batch_index)
    return batch_id, place, record.to, record.id, record.status, str(reason), str(error.get("title") or "")


def _change(batch_id: str, way: Callable[[BatchService], Callable[[str], Batch | None]]) -> int:
    with _opened() as (_, services):
        return _show(_found(way(services.batches)(batch_id), batch_id))


def _found(batch: Batch | None, batch_id: str) -> Batch:
    if batch is None:
        raise CommandError(f"There is no batch {batch_id}.")
    return batch


def _list(service: BatchService) -> int:
    rows = [("id", "state", "items", "waiting", "failed", "tag")]
    for batch in service.page()[0]:
        waiting = sum(batch.counts.get(status, 0) for status in _OPEN)
        state = f"{batch.state} ({batch.reason})" if batch.reason else batch.state
        rows.append(
            (batch.id, state, f"{batch.total:,}", f"{waiting:,}", f"{batch.counts.get('failed', 0):,}", batch.tag or "")
        )
    say(table(rows) if len(rows) > 1 else "There are no batches.")
    return 0


def _show(batch: Batch) -> int:
    state = f"{batch.state} ({batch.reason})" if batch.reason else batch.state
    say(f"{batch.id} is {state}: {batch.total:,} items, {batch.refused:,} refused.")
    rows = [(status, f"{count:,}") for status, count in sorted(batch.counts.items())]
    rows += [(f"  failed by {reason}", f"{count:,}") for reason, count in sorted(batch.reasons.items())]
    if rows:
        say(table(rows))
    return 0
