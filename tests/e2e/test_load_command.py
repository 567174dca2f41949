"""`meta-emulator load --service` as a new user runs it."""

from __future__ import annotations

import json
import subprocess
import sys


def test_each_message_of_the_documented_load_is_answered_once() -> None:
    options = ["--conversations", "5", "--rate", "20", "--seconds", "1", "--duplicates", "1", "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "meta_emulator", "load", "--service", *options],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    report = json.loads(done.stdout)
    assert {name: report[name] for name in ("messages", "answers", "lost", "twice", "out_of_order")} == {
        "messages": 20,
        "answers": 20,
        "lost": 0,
        "twice": 0,
        "out_of_order": 0,
    }
