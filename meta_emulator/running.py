"""An emulator in a process of its own, for the length of a ``with`` block."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from meta_emulator.config import EmulatorConfig

_STOP_SECONDS = 10.0
_PACKAGES = Path(__file__).parents[1]


class RunningEmulator:
    """``with RunningEmulator(config) as emulator: requests.get(emulator.url)``.

    The emulator runs in its own process, because gevent's loop in a second thread of an unpatched process can
    crash. The process ends with the block, and also when its parent dies. Raises RuntimeError if it does not
    start.
    """

    def __init__(self, config: EmulatorConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> RunningEmulator:
        """Start the process and wait until it listens."""
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "meta_emulator.child"],
            cwd=_PACKAGES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101 - asked for above
        settings = asdict(self._config)
        for name in ("seed_file", "data_file"):  # the process has another working directory
            settings[name] = str(Path(settings[name]).resolve()) if settings[name] else ""
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        self.url = process.stdout.readline().strip()
        if not self.url:
            self._end()
            raise RuntimeError("the emulator did not start; its log says why")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process and wait until it has ended."""
        self._end()

    @property
    def pid(self) -> int:
        """Process id."""
        if self._process is None:
            raise RuntimeError("the emulator is not running")
        return self._process.pid

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_STOP_SECONDS)  # Closes its standard input, which stops it.
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
