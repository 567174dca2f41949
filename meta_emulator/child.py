"""The process of ``RunningEmulator``: reads its configuration as one JSON line, serves until standard input ends."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.fileobject import FileObject

from meta_emulator.config import EmulatorConfig
from meta_emulator.property_check import WrongPropertyError
from meta_emulator.server import serve_until
from meta_emulator.world_file import WorldFileError


def main() -> None:
    """Read the configuration, print the URL, serve until standard input ends."""
    logging.basicConfig(level=logging.WARNING, format="emulator: %(message)s")
    standard_input = FileObject(sys.stdin.buffer, "rb")
    settings = json.loads(standard_input.readline())
    for name in ("phone_number_ids", "allowed_hosts"):
        settings[name] = tuple(settings[name])
    for name in ("seed_file", "data_file"):
        settings[name] = Path(settings[name]) if settings[name] else None
    stop = Event()
    gevent.spawn(_stop_at_end_of_input, standard_input, stop)
    try:
        serve_until(stop, EmulatorConfig(**settings), ready=_print_url)
    except (OSError, WrongPropertyError, WorldFileError) as error:
        sys.exit(f"emulator: {error}")


def _stop_at_end_of_input(standard_input: FileObject, stop: Event) -> None:
    while standard_input.read(1024):
        continue
    stop.set()


def _print_url(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
