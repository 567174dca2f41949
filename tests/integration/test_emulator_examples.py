"""The emulator's examples in other languages run unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "emulator"
ENVIRONMENT = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}


def output_of(*command: str) -> str:
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_a_bot_in_javascript_is_tested_by_nodes_test_runner(require_program: Callable[..., Path]) -> None:
    node = require_program("node")
    assert "# pass 2" in output_of(str(node), "--test", "--test-reporter=tap", str(EXAMPLES / "bot.test.mjs"))


def test_the_shell_sends_reads_and_plans_a_failure(require_program: Callable[..., Path]) -> None:
    require_program("curl")
    accepted, received, refused = output_of("sh", str(EXAMPLES / "send.sh")).splitlines()
    assert '"messages":[{"id":"wamid.' in accepted
    assert "hello from the shell" in received
    assert '"code":2' in refused
