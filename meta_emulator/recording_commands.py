"""``meta-emulator record``, ``anonymize`` and ``replay``."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import requests
import yaml

from meta_emulator.client import ControlCallError, EmulatedMeta
from meta_emulator.load_command import started_emulator, started_service
from meta_emulator.recording import VERSION, anonymized, replay_session


@click.command()
@click.option("--url", required=True, help="URL of a running emulator.")
@click.option("--texts", is_flag=True, help="Keep texts; numbers in them are replaced.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def record(url: str, texts: bool, file: Path) -> None:
    """Save a session's webhooks and calls as YAML, without personal details."""
    try:
        found = EmulatedMeta(url).control("GET", "recording", params={"texts": "1" if texts else "0"})
    except (requests.RequestException, ControlCallError) as error:
        raise click.ClickException(f"No emulator answers at {url} ({type(error).__name__}).") from None
    _write(file, found)
    click.echo(f"{len(found['steps'])} steps, {found['skipped']} skipped.")


@click.command()
@click.option("--texts", is_flag=True, help="Keep texts; numbers in them are replaced.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def anonymize(texts: bool, file: Path) -> None:
    """Save steps from standard input, such as a service's events, as a recording without personal details.

    Input: JSON `{"numbers": {id: digits}, "account_id", "steps": [{"at", "webhook"} or {"at", "call"}]}`.
    """
    try:
        found = anonymized(json.load(sys.stdin), keep_texts=texts)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise click.ClickException("Standard input is not JSON of this form.") from None
    _write(file, found)
    click.echo(f"{len(found['steps'])} steps.")


def _write(file: Path, recording: dict[str, Any]) -> None:
    try:
        file.write_text(yaml.safe_dump(recording, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from None


@click.command()
@click.option("--at-once", is_flag=True, help="Replay without the recording's pauses.")
@click.option("--service", is_flag=True, help="Also start wa_service.")
@click.option("--script", type=click.Path(path_type=Path, exists=True), help="With --service: its script file.")
@click.option("--responder", default="", help="With --service: its HTTP responder.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def replay(
    context: click.Context, /, at_once: bool, service: bool, script: Path | None, responder: str, file: Path
) -> None:
    """Post a recording's webhooks to a service; exit with 1 if its answers differ from the recording.

    For a running service: `meta-emulator --callback URL --app-secret … replay FILE`.
    """
    group: dict[str, Any] = context.parent.params if context.parent else {}
    recording = _read(file)
    if not service and not group.get("callback"):
        raise click.UsageError("Give --service, or the running service's --callback before `replay`.")
    with ExitStack() as stack:
        meta = stack.enter_context(started_emulator(group))
        if service:
            stack.enter_context(started_service(meta, script, responder))
        found = replay_session(recording, meta, at_once=at_once)
    click.echo(yaml.safe_dump(found, sort_keys=False))
    context.exit(0 if found["same"] else 1)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict) or found.get("version") != VERSION or not isinstance(found.get("steps"), list):
        raise click.ClickException(f"{file} is no recording of version {VERSION}.")
    return found
