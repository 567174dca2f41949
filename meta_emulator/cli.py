"""The command ``meta-emulator``; each option can also come from ``META_EMULATOR_<OPTION>``."""

from __future__ import annotations

import json
import logging
import os
import secrets
from functools import partial
from pathlib import Path
from typing import Final

import click

from meta_emulator.config import EmulatorConfig
from meta_emulator.load_command import load
from meta_emulator.property_check import WrongPropertyError
from meta_emulator.recording_commands import anonymize, record, replay
from meta_emulator.server import serve
from meta_emulator.world_file import WorldFileError

# Names that differ from the parameter's; the second ones are earlier names.
_NUMBER: Final = ("META_EMULATOR_NUMBER", "META_EMULATOR_NUMBERS")
_HOST: Final = ("META_EMULATOR_ALLOW_HOST", "META_EMULATOR_ALLOWED_HOSTS")
_JSON: Final = ("META_EMULATOR_JSON", "META_EMULATOR_AS_JSON")
_option = partial(click.option, show_envvar=True)


@click.group(invoke_without_command=True, context_settings={"auto_envvar_prefix": "META_EMULATOR"})
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0: a free one.")
@_option("--callback", default="", help="Webhook URL; verified at start until it answers.")
@_option("--access-token", default="", help="Access token; random by default.")
@_option("--app-secret", default="", help="Secret that signs webhooks; random by default.")
@_option("--verify-token", default="", help="Verify token of the callback; random by default.")
@_option(
    "--number",
    "numbers",
    multiple=True,
    default=("106540352242922",),
    show_default=True,
    envvar=_NUMBER,
    help="Number id.",
)
@_option("--account", default=EmulatorConfig.business_account_id, show_default=True, help="Business account id.")
@_option("--app-id", default=EmulatorConfig.app_id, show_default=True, help="App id.")
@_option("--seed", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML file of a world.")
@_option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the world is kept.")
@_option("--random-seed", type=int, help="Seed of ids and random choices.")
@_option("--time-factor", default=60.0, show_default=True, help="Divisor of Meta's webhook retry delays.")
@_option("--public-url", default="", help="Base URL of media links; default: the address that was called.")
@_option("--allow-host", "allowed_hosts", multiple=True, envvar=_HOST, help="Additional host that requests may use.")
@_option("--unsafe", is_flag=True, help="Allow listening beyond loopback; the control API has no login.")
@_option("--json", "as_json", is_flag=True, envvar=_JSON, help="Print one JSON line with addresses and secrets.")
@click.pass_context
def main(
    context: click.Context,
    host: str,
    port: int,
    callback: str,
    access_token: str,
    app_secret: str,
    verify_token: str,
    numbers: tuple[str, ...],
    account: str,
    app_id: str,
    seed: Path | None,
    data: Path | None,
    random_seed: int | None,
    time_factor: float,
    public_url: str,
    allowed_hosts: tuple[str, ...],
    unsafe: bool,
    as_json: bool,
) -> None:
    """Serve an emulated WhatsApp Business Cloud API with a control API and a phone page."""
    if context.invoked_subcommand is not None:
        return
    logging.basicConfig(level=logging.WARNING, format="emulator: %(message)s")
    try:
        config = EmulatorConfig(
            access_token=access_token or f"EAA{secrets.token_urlsafe(24)}",
            app_secret=app_secret or secrets.token_hex(16),
            verify_token=verify_token or secrets.token_urlsafe(12),
            phone_number_ids=tuple(dict.fromkeys(numbers)),
            business_account_id=account,
            app_id=app_id,
            callback_url=callback,
            host=host,
            port=port,
            unsafe=unsafe,
            public_url=public_url,
            allowed_hosts=allowed_hosts,
            time_factor=time_factor,
            seed_file=seed,
            data_file=data / "world.json" if data else None,
            random_seed=random_seed,
        )
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    generated = not access_token
    try:
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"The directory {data} cannot be used: {error.strerror}.") from None
    try:
        serve(config, lambda url: _print_ready(config, url, as_json=as_json, show_token=generated))
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    except WrongPropertyError as error:
        raise click.ClickException(f"{seed}: {error}") from None
    except WorldFileError as error:
        raise click.ClickException(f"{error}: move it away to start with a new world.") from None


for command in (load, record, anonymize, replay):
    main.add_command(command)


def ready_line(config: EmulatorConfig, url: str) -> str:
    """Return the JSON line of ``--json``: addresses, ids and secrets."""
    return json.dumps(
        {
            "ready": True,
            "url": url,
            "phone_page": f"{url}/",
            "controls": f"{url}/_emulator",
            "openapi": f"{url}/_emulator/openapi.json",
            "pid": os.getpid(),
            "access_token": config.access_token,
            "app_secret": config.app_secret,
            "verify_token": config.verify_token,
            "phone_number_ids": config.phone_number_ids,
            "business_account_id": config.business_account_id,
            "app_id": config.app_id,
            "callback_url": config.callback_url,
        }
    )


def _print_ready(config: EmulatorConfig, url: str, *, as_json: bool, show_token: bool) -> None:
    if as_json:
        click.echo(ready_line(config, url))
        return
    click.echo(f"Phone page   {url}/")
    click.echo(f"Graph API    {url}   (WHATSAPP_API_BASE_URL)")
    click.echo(f"Control API  {url}/_emulator")
    click.echo(f"Webhooks to  {config.callback_url or 'nowhere until a callback is subscribed'}")
    if show_token:
        click.echo(f"Token        {config.access_token}")
    click.echo("The emulator is ready.")
