"""`emulator`: run the emulated Meta with the same WHATSAPP_* values as the service."""

from __future__ import annotations

import os
import sys

import click

from wa_service.cli.context import load_settings
from wa_service.config.bind import reachable_at
from wa_service.config.settings import Settings, whole_environment


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0: a free one.")
@click.option("--callback", default="", help="Where webhooks are sent; default: the service's webhook at WA_BIND.")
@click.option("--data", default="", help="Directory that keeps the emulator's world across restarts; default: none.")
@click.option("--unsafe", is_flag=True, help="Allow listening beyond this machine, without a login.")
def command(host: str, port: int, callback: str, data: str, unsafe: bool) -> None:
    """Run the emulated Meta with its phone page."""
    settings = load_settings()
    arguments = [sys.executable, "-m", "meta_emulator", "--host", host, "--port", str(port)]
    if data:
        arguments += ["--data", data]
    if unsafe:
        arguments.append("--unsafe")
    sys.stdout.flush()
    # Replaces this process, so that signals reach the emulator and it is not imported here.
    os.execve(sys.executable, arguments, whole_environment() | _environment(settings, callback))  # noqa: S606


def _environment(settings: Settings, callback: str) -> dict[str, str]:
    """Return the emulator's secrets and ids; other users of this machine could read an argument list."""
    account = settings.business_account_id
    return {
        "META_EMULATOR_ACCESS_TOKEN": settings.access_token.get_secret_value(),
        "META_EMULATOR_APP_SECRET": settings.app_secrets[0].get_secret_value(),
        "META_EMULATOR_VERIFY_TOKEN": settings.verify_token.get_secret_value(),
        "META_EMULATOR_NUMBER": " ".join(settings.phone_number_ids),
        "META_EMULATOR_CALLBACK": callback or _webhook_of(settings),
    } | ({"META_EMULATOR_ACCOUNT": account} if account else {})


def _webhook_of(settings: Settings) -> str:
    address = reachable_at(settings.bind)
    return "" if address is None else f"http://{address[0]}:{address[1]}/webhooks/whatsapp"
