"""`python -m wa_service.cli.stack run|serve`: run every part of the service on this machine, in one terminal.

Not a command of `python -m wa_service`, which runs under gevent's patch: honcho's queue between processes does not
work under it.
"""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer

from wa_service.cli.development import VALKEY_WAIT, Development, prepare, write_settings
from wa_service.cli.findings import of_script
from wa_service.cli.terminal import CommandError, complain, say
from wa_service.config import settings
from wa_service.config.bind import reachable_at
from wa_service.config.settings import Settings

_PORT = click.IntRange(1, 65535)
_CUSTOMER = "447700900123"  # a phone in the emulator's default world


@click.group
def _commands() -> None:
    """Start every part of the service in one terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything until Ctrl-C or until one part ends.

    Returns:
        The exit status: 0 after Ctrl-C or SIGTERM, 1 if a part ended or could not start, 2 for invalid settings.
    """
    try:
        return int(_commands.main(arguments, standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except settings.SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    except CommandError as error:
        complain(str(error))
        return 1


@_commands.command
@click.option("--port", type=_PORT, default=8000, show_default=True, help="Web's port.")
@click.option("--emulator-port", type=_PORT, default=8090, show_default=True, help="The emulator's port.")
@click.option("--var", type=click.Path(path_type=Path), default=Path("var/run"), help="The data directory.")
@click.option("--script", type=click.Path(path_type=Path), help="The script file to answer with.")
@click.option("--responder", help="The URL of an http responder to answer with.")
@click.option("--llm", help="The base URL of a language model's server to answer with.")
@click.option("--replicas", type=click.IntRange(0, 5), default=0, help="Number of replicas, under three Sentinels.")
def run(
    port: int,
    emulator_port: int,
    var: Path,
    script: Path | None,
    responder: str | None,
    llm: str | None,
    replicas: int,
) -> int:
    """Start the service with an emulated Meta."""
    if sum(given is not None for given in (script, responder, llm)) > 1:
        raise CommandError("`make run` takes one of SCRIPT=…, RESPONDER=… and LLM=….")
    if port == emulator_port:
        raise CommandError("`make run` needs two ports: PORT=… and EMULATOR_PORT=… are the same.")
    for taken, variable in ((port, "PORT"), (emulator_port, "EMULATOR_PORT")):
        if _is_taken("127.0.0.1", taken):
            raise CommandError(f"Port {taken} is in use: choose another with `make run {variable}=…`.")
    development = prepare(port, emulator_port, var, script=script, responder=responder, llm=llm, replicas=replicas)
    given = settings.load(development.environment)
    finding = of_script(given)
    if finding.level == "wrong":
        raise CommandError(finding.what)
    if development.taken:
        say(f"Taken from the environment: {', '.join(development.taken)}.")
    if development.ignored:
        say(f"Not used by `make run`: {', '.join(development.ignored)}.")
    for sentence in settings.unknown_variables(settings.whole_environment()):
        say(sentence)
    links = _links(development, given, port, emulator_port, write_settings(development, var))
    parts = _parts("Procfile.dev")
    if replicas:
        parts["valkey"] += f" --replicas {replicas}"
    return _together(
        parts,
        development.environment,
        ("127.0.0.1", port),
        links,
        emulator=("127.0.0.1", emulator_port),
    )


@_commands.command
@click.option("--port", type=_PORT, help="Web's port; default: that of WA_BIND.")
def serve(port: int | None) -> int:
    """Start the service with Meta; settings from the environment and `.env`."""
    given = settings.load()
    if port is not None and reachable_at(given.bind) is None:
        raise CommandError(f"WA_BIND names a unix socket, which has no port: leave out PORT={port}.")
    bind = given.bind if port is None else f"{given.bind.rpartition(':')[0]}:{port}"
    address = reachable_at(bind)
    if address and _is_taken(*address):
        raise CommandError(f"Port {address[1]} is in use: choose another with `make serve PORT=…` or WA_BIND.")
    env = settings.whole_environment() | {"WA_BIND": bind, "WA_REDIS_WAIT": VALKEY_WAIT}
    parts = _parts("Procfile")
    if given.redis_url:
        del parts["valkey"]
    return _together(parts, env, address, [f"The service answers at {bind}."])


def _links(development: Development, given: Settings, port: int, emulator_port: int, settings_file: Path) -> list[str]:
    base = f"http://127.0.0.1:{port}"
    message = f'{{"to": "{_CUSTOMER}", "template": {{"name": "hello_world", "language": "en_US"}}}}'
    responder = [f"Responder    {given.responder_url}, signed with {development.responder_secret}"]
    if given.responder == "llm":
        responder = [f"Model        {given.llm_url}, {given.llm_model or 'the default one'}"]
    return [
        f"Phone page   http://127.0.0.1:{emulator_port}/",
        f"Console      {base}/console, sign in with {development.api_key}",
        f"API docs     {base}/docs",
        f"Metrics      {base}/metrics",
        *(responder if given.responder in {"http", "llm"} else []),
        "",
        "Write from the phone page, or send a message:",
        f"  curl -s {base}/v1/messages -H 'Authorization: Bearer {development.api_key}' \\",
        f"    -H 'Content-Type: application/json' -d '{message}'",
        "",
        f"Commands in another terminal: WA_ENV_FILE={settings_file} {_python()} -m wa_service --help",
        f"Ctrl-C stops everything. The data, the phones and this key stay in {given.var_dir}/.",
    ]


def _python() -> str:
    """Return this interpreter's path as a person would type it."""
    python = Path(sys.executable)
    return str(python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python)


def _parts(procfile: str) -> dict[str, str]:
    """Return the commands of a Procfile by name, with this interpreter for `python`."""
    lines = parse_procfile(Path(procfile).read_text(encoding="utf-8")).processes.items()
    # `exec`: signals must reach the part, not a shell.
    python = shlex.quote(sys.executable)
    return {name: f"exec {python}{command.removeprefix('python')}" for name, command in lines}


def _together(
    parts: Mapping[str, str],
    env: dict[str, str],
    address: tuple[str, int] | None,
    links: Sequence[str],
    *,
    emulator: tuple[str, int] | None = None,
) -> int:
    printer = _Watching(sys.stdout, len(parts))
    manager = _Parts(printer)
    for name, command in parts.items():
        manager.add_process(name, command, env=env)
    ended = threading.Event()
    if address is not None:
        threading.Thread(target=_tell_when_ready, args=(*address, emulator, links, ended), daemon=True).start()
    # A closed terminal stops everything, like Ctrl-C; honcho alone would die and leave the parts.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        manager.loop()
    finally:
        ended.set()
    if manager.returncode in {128 + signal.SIGINT, 128 + signal.SIGTERM} and not printer.first_to_end:
        return 0
    complain(f"{printer.first_to_end or 'One part'} ended, so everything was stopped; see its last lines.")
    return 1


class _Watching(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints the parts' output, and notes how many still have to start, and which ended first without being told to.

    honcho reports starts and stops as lines named `system`.
    """

    def __init__(self, output: Any, parts: int) -> None:
        super().__init__(output)
        self.to_start = parts
        self.when_all_started: Callable[[], None] = lambda: None
        self.first_to_end = ""
        self._stopping = False

    def write(self, message: Message) -> None:
        super().write(message)
        if message.name != "system":
            return
        if " received" in message.data:
            self._stopping = True
        elif " stopped (rc=" in message.data and not self._stopping and not self.first_to_end:
            self.first_to_end = message.data.split(" ", 1)[0]
        elif " started (pid=" in message.data:
            self.to_start -= 1
            if not self.to_start:
                self.when_all_started()


class _Parts(Manager):  # type: ignore[misc]  # honcho has no types
    """honcho's manager that can also be stopped while it is starting, when the original raises KeyError."""

    def __init__(self, printer: _Watching) -> None:
        super().__init__(printer)
        self._watching = printer
        self._stop_requested = False
        printer.when_all_started = self._stop_if_requested

    def terminate(self) -> None:
        if self._watching.to_start:
            self._stop_requested = True
        else:
            super().terminate()

    def _stop_if_requested(self) -> None:
        if self._stop_requested:
            super().terminate()


def _tell_when_ready(
    host: str, port: int, emulator: tuple[str, int] | None, links: Sequence[str], ended: threading.Event
) -> None:
    while not ended.wait(0.1):
        if emulator is not None and not _listens(*emulator):
            continue
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


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


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
