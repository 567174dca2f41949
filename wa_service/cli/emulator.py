"""`emulator`: a Meta on your desk, on the same WHATSAPP_* values as the service."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.terminal import complain
from wa_service.config.bind import reachable_at
from wa_service.config.settings import Settings


def add_to(commands: Commands) -> None:
    """Add `emulator`."""
    parser = add_command(commands, "emulator", "Run the emulated Meta with its phone page.", _run)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one (%(default)s)")
    parser.add_argument("--callback", default="", help="where webhooks go (the service's webhook at WA_BIND)")
    parser.add_argument("--unsafe", action="store_true", help="listen beyond this machine; there is no login")


def _run(options: argparse.Namespace, load: Load) -> int:
    settings = load()
    from meta_emulator import EmulatorConfig, UnsafeBindError
    from meta_emulator.server import serve

    try:
        config = EmulatorConfig(
            access_token=settings.access_token.get_secret_value(),
            app_secret=settings.app_secrets[0].get_secret_value(),
            verify_token=settings.verify_token.get_secret_value(),
            phone_number_ids=settings.phone_number_ids,
            business_account_id=settings.business_account_id or EmulatorConfig.business_account_id,
            callback_url=options.callback or _webhook_of(settings),
            host=options.host,
            port=options.port,
            unsafe=options.unsafe,
        )
    except UnsafeBindError as error:
        complain(f"{error}.")
        return 2
    serve(config)
    return 0


def _webhook_of(settings: Settings) -> str:
    address = reachable_at(settings.bind)
    return "" if address is None else f"http://{address[0]}:{address[1]}/webhooks/whatsapp"
