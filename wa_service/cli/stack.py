"""`python -m wa_service.cli.stack run|serve`: every part of the service on this machine, in one terminal.

Not a command of `python -m wa_service`, because that one runs under gevent's patch, which honcho's queue
between processes does not survive.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer

from wa_service.cli.terminal import complain, say
from wa_service.config import settings
from wa_service.config.bind import reachable_at

_DEV_API_KEY = "dev-key"
_DEV_CUSTOMER = "447700900123"  # a phone that the emulator has from the start
# A big append-only file may load for minutes; the parts wait, and a dead Valkey ends them all anyway.
_VALKEY_WAIT = "600"


def main(arguments: Sequence[str] | None = None) -> int:
    """Start everything and stay until Ctrl-C or until one part ends.

    Returns:
        The exit status: 0 after Ctrl-C or SIGTERM, 1 when a part ended or could not start, 2 on wrong settings.
    """
    parser = argparse.ArgumentParser(prog="python -m wa_service.cli.stack")
    parser.add_argument("what", choices=("run", "serve"), help="run: with the emulated Meta; serve: with Meta")
    parser.add_argument("--port", type=int, help="web's port (8000; serve: that of WA_BIND)")
    parser.add_argument("--emulator-port", type=int, default=8090, help="the emulator's port (%(default)s)")
    parser.add_argument("--var", type=Path, default=Path("var"), help="with run: where the data stays (%(default)s)")
    options = parser.parse_args(arguments)
    if options.what == "run":
        return _run(options.port or 8000, options.emulator_port, options.var)
    return _serve(options.port)


def _run(port: int, emulator_port: int, var: Path) -> int:
    env = settings.environment_without_settings() | development_settings(port, emulator_port, var)
    for taken, variable in ((port, "PORT"), (emulator_port, "EMULATOR_PORT")):
        if _is_taken("127.0.0.1", taken):
            complain(f"Port {taken} is taken: `make run {variable}=…` takes another one.")
            return 1
    return _together(_parts("Procfile.dev"), env, ("127.0.0.1", port), _links(port, emulator_port))


def _serve(port: int | None) -> int:
    try:
        given = settings.load()
    except settings.SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    bind = given.bind if port is None else f"{given.bind.rpartition(':')[0]}:{port}"
    address = reachable_at(bind)
    if address and _is_taken(*address):
        complain(f"Port {address[1]} is taken: `make serve PORT=…` takes another one, as does WA_BIND.")
        return 1
    env = settings.whole_environment() | {"WA_BIND": bind, "WA_REDIS_WAIT": _VALKEY_WAIT}
    parts = _parts("Procfile")
    if given.redis_url:
        del parts["valkey"]
    return _together(parts, env, address, [f"The service answers at {bind}."])


def development_settings(port: int, emulator_port: int, var: Path) -> dict[str, str]:
    """The settings of `make run`: nothing in them is secret, nothing in them reaches beyond this machine."""
    return {
        "WA_ENV_FILE": "/dev/null",  # a real token in `.env` must not answer by accident
        "WHATSAPP_ACCESS_TOKEN": "development-token",
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_VERIFY_TOKEN": "development-verify-token",
        "WHATSAPP_APP_SECRET": "development-app-secret",
        "WHATSAPP_BUSINESS_ACCOUNT_ID": "200000000000001",
        "WHATSAPP_API_VERSION": "v24.0",
        "WHATSAPP_API_BASE_URL": f"http://127.0.0.1:{emulator_port}",
        "WA_API_KEYS": f"development:{_DEV_API_KEY}:admin",
        "WA_BIND": f"127.0.0.1:{port}",
        "EMULATOR_PORT": str(emulator_port),
        "WA_VAR_DIR": str(var),
        "WA_LOG_FORMAT": "console",
        "WA_REDIS_WAIT": _VALKEY_WAIT,
        "WEB_CONCURRENCY": "1",
    }


def _links(port: int, emulator_port: int) -> list[str]:
    base = f"http://127.0.0.1:{port}"
    message = f'{{"to": "{_DEV_CUSTOMER}", "template": {{"name": "hello_world", "language": "en_US"}}}}'
    return [
        f"Phone page   http://127.0.0.1:{emulator_port}/",
        f"API docs     {base}/docs",
        f"Metrics      {base}/metrics",
        "",
        "Write from the phone page, or send a message:",
        f"  curl -s {base}/v1/messages -H 'Authorization: Bearer {_DEV_API_KEY}' \\",
        f"    -H 'Content-Type: application/json' -d '{message}'",
        "",
        "Ctrl-C ends everything; the data stays in var/.",
    ]


def _parts(procfile: str) -> dict[str, str]:
    """The commands of a Procfile by name; `python` is the interpreter that runs this."""
    lines = parse_procfile(Path(procfile).read_text(encoding="utf-8")).processes.items()
    # `exec`: a signal must reach the part, not a shell around it.
    python = shlex.quote(sys.executable)
    return {name: f"exec {python}{command.removeprefix('python')}" for name, command in lines}


def _together(
    parts: Mapping[str, str], env: dict[str, str], address: tuple[str, int] | None, links: Sequence[str]
) -> int:
    printer = _Watching(sys.stdout)
    manager = _Parts(printer=printer)
    for name, command in parts.items():
        manager.add_process(name, command, env=env)
    ended = threading.Event()
    if address is not None:
        threading.Thread(target=_tell_when_ready, args=(*address, links, ended), daemon=True).start()
    # A closed terminal ends everything like Ctrl-C does; honcho would die of it alone.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        manager.loop()
    finally:
        ended.set()
    if manager.returncode in {128 + signal.SIGINT, 128 + signal.SIGTERM} and not printer.first_to_end:
        return 0
    complain(f"{printer.first_to_end or 'One part'} ended, so everything was stopped; its last lines say why.")
    return 1


class _Watching(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints what the parts say, and notes which one ended before anybody asked it to."""

    def __init__(self, output: Any) -> None:
        super().__init__(output)
        self.first_to_end = ""
        self._stopping = False

    def write(self, message: Message) -> None:
        if message.name == "system":
            if " received" in message.data:
                self._stopping = True
            if " stopped (rc=" in message.data and not self._stopping and not self.first_to_end:
                self.first_to_end = message.data.split(" ", 1)[0]
        super().write(message)


class _Parts(Manager):  # type: ignore[misc]  # honcho has no types
    """honcho's manager, which can also be stopped while it still starts (its own raises KeyError then)."""

    _asked_early = False

    def terminate(self) -> None:
        if self._all_started():
            super().terminate()
        else:
            self._asked_early = True

    def _system_print(self, data: str) -> None:
        super()._system_print(data)
        if self._asked_early and self._all_started():
            self._asked_early = False
            super().terminate()


def _tell_when_ready(host: str, port: int, links: Sequence[str], ended: threading.Event) -> None:
    while not ended.wait(0.1):
        web = http.client.HTTPConnection(host, port, timeout=2)
        try:
            web.request("GET", "/readyz")
            if web.getresponse().status == 200:
                say("\n" + "\n".join(f"    {line}".rstrip() for line in ("Ready.", *links)) + "\n")
                return
        except (OSError, http.client.HTTPException):
            continue
        finally:
            web.close()


def _is_taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
