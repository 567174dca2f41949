"""`dead-letters`: list, show, replay and drop events that could not be handled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click
import orjson

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, progress, say, table
from wa_service.observability.log import clean

if TYPE_CHECKING:
    from wa_service.runtime import Runtime
    from wa_service.store.dead_letters import DeadLetter


@click.group(invoke_without_command=True, subcommand_metavar="[list|show|replay|drop]")
@click.pass_context
def command(context: click.Context) -> int | None:
    """List, replay or drop events that could not be handled."""
    if context.invoked_subcommand is None:
        with open_runtime(load_settings()) as runtime:
            return _list(runtime)
    return None


@command.command("list")
def list_letters() -> int:
    """List dead letters, oldest first (the default)."""
    with open_runtime(load_settings()) as runtime:
        return _list(runtime)


@command.command()
@click.argument("letter_id", metavar="ID")
def show(letter_id: str) -> int:
    """Print a dead letter with the event that Meta sent."""
    with open_runtime(load_settings()) as runtime:
        return _show(runtime, letter_id)


@command.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All dead letters.")
def replay(ids: Sequence[str], every: bool) -> int:
    """Handle dead letters again; ID as `list` shows it."""
    with open_runtime(load_settings()) as runtime:
        return _each(_chosen(runtime, ids, every=every), _replaying(runtime), "will be handled again")


@command.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All dead letters.")
def drop(ids: Sequence[str], every: bool) -> int:
    """Delete dead letters; ID as `list` shows it."""
    with open_runtime(load_settings()) as runtime:
        return _each(_chosen(runtime, ids, every=every), partial(_drop, runtime), "were dropped")


def _chosen(runtime: Runtime, ids: Sequence[str], *, every: bool) -> Sequence[str]:
    if not ids and not every:
        raise CommandError("Name dead letters by their ids, which `dead-letters list` shows, or give --all.")
    return runtime.dead_letters.ids() if every else ids


def _list(runtime: Runtime) -> int:
    rows = [("id", "when", "kind", "tries", "reason")]
    cursor: str | None = ""
    while cursor is not None:
        letters, cursor = runtime.dead_letters.page(cursor)
        rows += [(one.id, _when(one), one.kind, str(one.tries), clean(one.reason)) for one in letters]
    say(table(rows) if len(rows) > 1 else "There are no dead letters.")
    return 0


def _show(runtime: Runtime, letter_id: str) -> int:
    letter = runtime.dead_letters.get(letter_id)
    if letter is None:
        raise CommandError(f"There is no dead letter {letter_id}.")
    facts = {
        "id": letter.id,
        "when": _when(letter),
        "kind": letter.kind,
        "reason": letter.reason,
        "tries": letter.tries,
        "number": letter.number,
        "conversation": letter.conversation,
        "event": _event(letter),
    }
    say(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
    return 0


def _event(letter: DeadLetter) -> object:
    """Return the stored event, as text if it is not JSON."""
    try:
        return orjson.loads(letter.event)
    except ValueError:
        return letter.event.decode()


def _each(asked: Sequence[str], act: Callable[[str], str], done: str) -> int:
    """Apply `act` to each dead letter; it returns "" or a problem. Equal problems are printed once."""
    problems = Counter(problem for letter_id in progress(asked, "dead letters") if (problem := act(letter_id)))
    say(f"{len(asked) - problems.total()} of {len(asked)} dead letters {done}.")
    for problem, times in problems.items():
        say(problem if times == 1 else f"{problem} ({times} letters)")
    return 1 if problems else 0


def _drop(runtime: Runtime, letter_id: str) -> str:
    return "" if runtime.dead_letters.drop(letter_id) else f"{letter_id} does not exist."


def _replaying(runtime: Runtime) -> Callable[[str], str]:
    # Imported late: a metric series takes its slot in the shared files when it is created.
    from wa_service.observability.metrics_buffer import MetricsBuffer
    from wa_service.service import wiring
    from wa_service.service.replay import MailboxFullError, NotReplayableError

    service = wiring.build(runtime, MetricsBuffer()).replay

    def act(letter_id: str) -> str:
        try:
            service.replay(letter_id)
        except LookupError:
            return f"{letter_id} does not exist."
        except MailboxFullError as error:
            return f"Not now: {error}"
        except NotReplayableError as error:
            return f"{letter_id} was not replayed: {clean(str(error))}"
        return ""

    return act


def _when(letter: DeadLetter) -> str:
    return datetime.fromtimestamp(letter.time / 1000, UTC).isoformat(" ", "seconds")
