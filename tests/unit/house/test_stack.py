"""`make run` and `make serve`: how the parts stop together."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STOPPED = """
import os, signal, sys
from wa_service.cli.stack import _Parts, _Watching
printer = _Watching(sys.stdout, 2)
parts = _Parts(printer)
parts.add_process("one", "exec sleep 60")
parts.add_process("two", "exec sleep 60")
{when}
parts.loop()
"""
WHILE_STARTING = "parts.terminate()"
WHEN_STARTED = "printer.when_all_started = lambda: os.kill(os.getpid(), signal.SIGTERM)"


@pytest.mark.parametrize("when", [WHILE_STARTING, WHEN_STARTED], ids=["while_starting", "when_started"])
def test_a_stop_ends_every_part(when: str) -> None:
    command = [sys.executable, "-c", STOPPED.format(when=when)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert "one stopped (rc=-15)" in done.stdout
    assert "two stopped (rc=-15)" in done.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--port", "65536"], "65535"),
        (["--port", "8090"], "two ports"),
        (["--port", "18000", "--emulator-port", "18090", "--var", "/dev/null/var"], "cannot be used: Not a directory."),
    ],
)
def test_an_option_that_cannot_be_used_is_one_sentence(options: list[str], sentence: str) -> None:
    done = stack("run", *options)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_unix_socket_has_no_port() -> None:
    required = {
        "WHATSAPP_ACCESS_TOKEN": "EAAtest",
        "WHATSAPP_PHONE_NUMBER_ID": "1",
        "WHATSAPP_VERIFY_TOKEN": "verify-token",
        "WHATSAPP_APP_SECRET": "app-secret",
    }
    done = stack("serve", "--port", "9000", WA_ENV_FILE="/dev/null", WA_BIND="unix:/missing/web.sock", **required)
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        ["WA_BIND names a unix socket, which has no port: leave out PORT=9000."],
    )


def stack(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wa_service.cli.stack", *arguments]
    env = os.environ | environment
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
