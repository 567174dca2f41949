"""`emulator`: run the emulated Meta with the same WHATSAPP_* values as the service."""

from __future__ import annotations

import argparse
import os
import sys

from wa_service.cli.command import Commands, Load, add_command
from wa_service.config.bind import reachable_at
from wa_service.config.settings import Settings, whole_environment


def add_to(commands: Commands) -> None:
    """Add `emulator`."""
    parser = add_command(commands, "emulator", "Run the emulated Meta with its phone page.", _run)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one (%(default)s)")
    parser.add_argument("--callback", default="", help="where webhooks go (the service's webhook at WA_BIND)")
    parser.add_argument("--unsafe", action="store_true", help="listen beyond this machine; there is no login")


def _run(options: argparse.Namespace, load: Load) -> int:
    settings = load()
    command = [sys.executable, "-m", "meta_emulator", "--host", options.host, "--port", str(options.port)]
    if options.unsafe:
        command.append("--unsafe")
    sys.stdout.flush()
    # Replaces this process, so that signals reach the emulator and nothing of it is imported here.
    os.execve(sys.executable, command, whole_environment() | _environment(settings, options.callback))  # noqa: S606


def _environment(settings: Settings, callback: str) -> dict[str, str]:
    """The emulator's secrets and ids; an argument list could be read by every user of this machine."""
    account = settings.business_account_id
    return {
        "META_EMULATOR_ACCESS_TOKEN": settings.access_token.get_secret_value(),
        "META_EMULATOR_APP_SECRET": settings.app_secrets[0].get_secret_value(),
        "META_EMULATOR_VERIFY_TOKEN": settings.verify_token.get_secret_value(),
        "META_EMULATOR_NUMBERS": " ".join(settings.phone_number_ids),
        "META_EMULATOR_CALLBACK": callback or _webhook_of(settings),
    } | ({"META_EMULATOR_ACCOUNT": account} if account else {})


def _webhook_of(settings: Settings) -> str:
    address = reachable_at(settings.bind)
    return "" if address is None else f"http://{address[0]}:{address[1]}/webhooks/whatsapp"
