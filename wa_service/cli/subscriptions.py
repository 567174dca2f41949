"""`subscriptions`: list, create, test, pause, replay and delete subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, say, table

if TYPE_CHECKING:
    from wa_service.service.subscriptions import SubscriptionService
    from wa_service.store.subscriptions import Subscription, Subscriptions


Found = TypeVar("Found")


@click.group(
    invoke_without_command=True, subcommand_metavar="[list|create|test|pause|resume|replay|rotate-secret|delete]"
)
@click.pass_context
def command(context: click.Context) -> int | None:
    """Push events to tools: list, create, test, pause, replay and delete subscriptions."""
    if context.invoked_subcommand is None:
        with _opened() as (_, subscriptions):
            return _list(subscriptions)
    return None


@command.command("list")
def list_subscriptions() -> int:
    """List subscriptions, oldest first (the default)."""
    with _opened() as (_, subscriptions):
        return _list(subscriptions)


@command.command()
@click.argument("url")
@click.option("--form", type=click.Choice(["event", "meta"]), default="event", help="This service's form or Meta's.")
@click.option("--kind", "kinds", multiple=True, help="A kind of event; repeatable. Default: all.")
@click.option("--number", "numbers", multiple=True, help="A phone number id; repeatable. Default: all.")
@click.option("--verify-token", help="Verify the URL first by Meta's handshake with this token.")
def create(url: str, form: str, kinds: Sequence[str], numbers: Sequence[str], verify_token: str | None) -> int:
    """Push future events to URL, and print the signing secret."""
    with _opened() as (service, _):
        made = service.create(
            url, form="meta" if form == "meta" else "event", kinds=kinds, numbers=numbers, verify_token=verify_token
        )
    say(f"{made.id}\nsecret: {made.secrets[0]}   (shown only once)")
    return 0


@command.command()
@click.argument("subscription", metavar="ID")
def test(subscription: str) -> int:
    """Send one test event, and print the result."""
    with _opened() as (service, _):
        result = _find(service.test, subscription)
    say(f"HTTP {result.status}" if result.failure is None else result.failure)
    return 0 if result.status is not None and 200 <= result.status < 300 else 1


@command.command()
@click.argument("subscription", metavar="ID")
def pause(subscription: str) -> int:
    """Pause pushing until it is resumed."""
    with _opened() as (_, subscriptions):
        return _show(_find(subscriptions.pause, subscription))


@command.command()
@click.argument("subscription", metavar="ID")
def resume(subscription: str) -> int:
    """Resume pushing, from where it stopped."""
    with _opened() as (_, subscriptions):
        return _show(_find(subscriptions.resume, subscription))


@command.command("replay")
@click.argument("subscription", metavar="ID")
@click.option("--after", required=True, help="The cursor of an event; 0: from the oldest stored event.")
def replay_after(subscription: str, after: str) -> int:
    """Push every event after a cursor, also those that were pushed before."""
    with _opened() as (service, _):
        return _show(_find(lambda name: service.replay(name, after), subscription))


@command.command()
@click.argument("subscription", metavar="ID")
def rotate_secret(subscription: str) -> int:
    """Print a new secret; in the form `event` the old one signs, too, for a day."""
    with _opened() as (service, _):
        say(f"secret: {_find(service.rotate_secret, subscription).secrets[0]}   (shown only once)")
    return 0


@command.command()
@click.argument("subscription", metavar="ID")
def delete(subscription: str) -> int:
    """Delete a subscription and its queued events."""
    with _opened() as (_, subscriptions):
        if not subscriptions.delete(subscription):
            raise CommandError(f"There is no subscription {subscription}.")
    say("Deleted.")
    return 0


@contextmanager
def _opened() -> Iterator[tuple[SubscriptionService, Subscriptions]]:
    with open_runtime(load_settings()) as runtime:
        # Imported late: a metric series takes its slot in the shared files when it is created.
        from wa_service.observability.metrics_buffer import MetricsBuffer
        from wa_service.service import wiring
        from wa_service.service.refusals import RefusedError
        from wa_service.store.subscriptions import TooManySubscriptionsError

        try:
            yield wiring.build(runtime, MetricsBuffer()).subscriptions, runtime.subscriptions
        except RefusedError as error:
            raise CommandError(
                " ".join(f"{field}: {problem}" for field, problem in error.fields) or str(error)
            ) from None
        except TooManySubscriptionsError as error:
            raise CommandError(str(error)) from None


def _find(act: Callable[[str], Found], name: str) -> Found:
    try:
        return act(name)
    except LookupError:
        raise CommandError(f"There is no subscription {name}.") from None


def _list(subscriptions: Subscriptions) -> int:
    rows = [("id", "state", "form", "behind", "taken", "dropped", "last answer", "url")]
    for each in subscriptions.all():
        state = f"paused ({each.paused_reason})" if each.state == "paused" else each.state
        lag = f"{subscriptions.lag_seconds(each):.0f} s"
        rows.append((each.id, state, each.form, lag, str(each.taken), str(each.dropped), each.last_answer, each.url))
    say(table(rows) if len(rows) > 1 else "There are no subscriptions.")
    return 0


def _show(subscription: Subscription) -> int:
    say(f"{subscription.id} is {subscription.state}.")
    return 0
