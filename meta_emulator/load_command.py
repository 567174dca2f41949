"""``meta-emulator load``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import requests

from meta_emulator.client import ControlCallError, EmulatedMeta
from meta_emulator.config import EmulatorConfig
from meta_emulator.load_report import as_svg, as_table
from meta_emulator.running import RunningEmulator
from meta_emulator.running_service import RunningService, ServiceStartError

# Each answer repeats its message's tag, so that the report can match them.
_REPEAT = """\
fallback:
  reply: [{text: "You wrote: {{ text }}"}]
"""


@click.command()
@click.option("--url", default="", help="URL of a running emulator; default: start one.")
@click.option("--service", is_flag=True, help="Start wa_service too, on free ports.")
@click.option(
    "--script",
    type=click.Path(path_type=Path, exists=True),
    help="With --service: its script file; default: one that repeats each message.",
)
@click.option("--responder", default="", help="With --service: URL of its HTTP responder.")
@click.option("--setting", "settings", multiple=True, help="With --service: a setting as NAME=VALUE.")
@click.option("--conversations", default=200, show_default=True, help="Number of customers that write.")
@click.option("--rate", default=50.0, show_default=True, help="Messages per second of all customers.")
@click.option("--seconds", default=10.0, show_default=True, help="How long the customers write.")
@click.option("--statuses/--no-statuses", default=True, show_default=True, help="Send three statuses per message.")
@click.option("--batching", type=click.Choice(["meta", "none"]), default="meta", show_default=True)
@click.option("--duplicates", default=0, show_default=True, help="Additional deliveries of every webhook.")
@click.option("--shuffle", is_flag=True, help="Send a message's statuses in random order.")
@click.option("--drain", default=30.0, show_default=True, help="Seconds to wait for the last answers.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as a chart.")
@click.pass_context
def load(
    context: click.Context,
    /,
    url: str,
    service: bool,
    script: Path | None,
    responder: str,
    settings: tuple[str, ...],
    as_json: bool,
    svg: Path | None,
    **plan: Any,
) -> None:
    """Simulate customers and Meta's webhooks against a service; report acknowledgements, answers, losses, repeats.

    With options of the emulator: `meta-emulator --callback URL --app-secret … load --rate 100`.
    """
    group = context.parent.params if context.parent else {}
    if url and service:
        raise click.UsageError("--service starts an emulator of its own: leave out --url.")
    if any("=" not in setting for setting in settings):
        raise click.UsageError("--setting takes NAME=VALUE.")
    try:
        if svg is not None:
            svg.open("a", encoding="utf-8").close()
    except OSError as error:
        raise click.ClickException(f"{svg} cannot be written: {error.strerror}.") from None
    with ExitStack() as stack:
        meta = EmulatedMeta(url) if url else stack.enter_context(started_emulator(group))
        if service:
            # The load test disables Meta's limits, so that the service need not observe those of an ordinary number.
            named = {"WHATSAPP_MESSAGES_PER_SECOND": "1000"} | dict(setting.split("=", 1) for setting in settings)
            if script is None and not responder:
                script = Path(stack.enter_context(TemporaryDirectory(prefix="load-"))) / "script.yaml"
                script.write_text(_REPEAT, encoding="utf-8")
            stack.enter_context(started_service(meta, script, responder, named))
        try:
            report = meta.control("POST", "load", plan, wait=plan["seconds"] + plan["drain"] + 60)
        except requests.ConnectionError:
            raise click.ClickException(f"No emulator answers at {meta.url}.") from None
        except ControlCallError as error:
            raise click.ClickException(str(error)) from None
    click.echo(json.dumps(report) if as_json else as_table(report))
    if svg is not None:
        svg.write_text(as_svg(report), encoding="utf-8")


@contextmanager
def started_emulator(group: dict[str, Any]) -> Iterator[EmulatedMeta]:
    """Start an emulator with the options of the command's group."""
    config = EmulatorConfig(
        access_token=group.get("access_token") or f"EAA{secrets.token_urlsafe(24)}",
        app_secret=group.get("app_secret") or secrets.token_hex(16),
        verify_token=group.get("verify_token") or secrets.token_urlsafe(12),
        phone_number_ids=tuple(group["numbers"]),
        business_account_id=group["account"],
        app_id=group["app_id"],
        callback_url=group["callback"],
        port=group["port"] if group["callback"] else 0,
        time_factor=group["time_factor"],
        seed_file=group["seed"],
        random_seed=group["random_seed"],
        kept_sends=1_000_000,
    )
    with ExitStack() as stack:
        try:
            running = stack.enter_context(RunningEmulator(config))
        except RuntimeError as error:
            raise click.ClickException(f"{error}.") from None
        yield EmulatedMeta(
            running.url,
            access_token=config.access_token,
            app_secret=config.app_secret,
            verify_token=config.verify_token,
            phone_number_ids=config.phone_number_ids,
            business_account_id=config.business_account_id,
        )


@contextmanager
def started_service(
    meta: EmulatedMeta, script: Path | None, responder: str, settings: Mapping[str, str] | None = None
) -> Iterator[RunningService]:
    """Start the service beside the emulator; a part that does not start is one sentence and its last log lines."""
    with ExitStack() as stack:
        running = RunningService(meta, script=script, responder=responder, settings=settings)
        try:
            stack.enter_context(running)
        except ServiceStartError as error:
            raise click.ClickException(str(error)) from None
        yield running
