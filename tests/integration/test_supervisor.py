"""The supervisor with processes that do what a test says instead of working."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.whole_lines import whole_lines

# Each process logs its arguments. `--ready-fd FD` is how a worker process reports that it is ready.
LIFE = """
import os, pathlib, sys
with pathlib.Path({log!r}).open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
{rest}
"""
SUPERVISE = "import sys; from wa_service.worker.supervisor import supervise; sys.exit(supervise(sys.argv[1:]))"
# The clock runs a thousand times as fast.
SUPERVISE_SLOWLY = f"import time; now = time.monotonic; time.monotonic = lambda: now() * 1000; {SUPERVISE}"


class Supervised:
    """A running supervisor, and the arguments of every process that it started."""

    def __init__(self, directory: Path, rest: str, supervise: str = SUPERVISE) -> None:
        self._log = directory / "lives"
        life = directory / "life.py"
        life.write_text(LIFE.format(log=str(self._log), rest=rest))
        self.program = directory / "program"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} {life} "$@"\n')
        self.program.chmod(0o755)
        self._told = directory / "told"
        with self._told.open("wb") as told:
            command = [sys.executable, "-c", supervise, str(self.program)]
            self.process = subprocess.Popen(command, stdout=told, stderr=told)

    def told(self) -> bytes:
        """What the supervisor and its processes have logged."""
        return self._told.read_bytes()

    def lives(self) -> list[dict[str, str]]:
        lines = whole_lines(self._log).decode().splitlines()
        return [dict(zip(words[::2], words[1::2], strict=True)) for words in (line.split() for line in lines)]


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(rest: str, *supervise: str) -> Supervised:
        started.append(Supervised(tmp_path, rest, *supervise))
        return started[-1]

    yield start
    for one in started:
        one.process.terminate()
        one.process.wait(40)


@pytest.mark.parametrize("supervise", [SUPERVISE, SUPERVISE_SLOWLY], ids=["at once", "after a minute"])
def test_a_process_that_cannot_start_ends_its_supervisor_with_its_status(
    supervised: Callable[..., Supervised], supervise: str
) -> None:
    one = supervised("sys.exit(3)", supervise)
    assert one.process.wait(20) == 3
    assert len(one.lives()) == 1


def test_a_process_that_worked_is_replaced_whatever_it_died_of(supervised: Callable[[str], Supervised]) -> None:
    one = supervised("os.write(int(options['--ready-fd']), b'1')\nos._exit(1)")
    eventually(lambda: len(one.lives()) >= 3, within=20)
    first, second, third = one.lives()[:3]
    assert (second["--predecessor"], third["--predecessor"]) == (first["--consumer"], second["--consumer"])


READY = "import time\nos.write(int(options['--ready-fd']), b'1')\n"


def test_a_process_that_cannot_be_started_for_a_dead_one_is_tried_until_it_can(
    supervised: Callable[[str], Supervised], tmp_path: Path
) -> None:
    one = supervised(READY + "while not pathlib.Path(sys.argv[0]).with_name('die').exists(): time.sleep(0.01)")
    eventually(one.lives, within=20)
    one.program.rename(tmp_path / "away")
    (tmp_path / "die").touch()
    assert eventually(lambda: one.told().count(b"start_failed") >= 2, within=20)

    (tmp_path / "away").rename(one.program)

    eventually(lambda: len(one.lives()) >= 2, within=20)
    first, second = one.lives()[:2]
    assert second["--predecessor"] == first["--consumer"]
    assert one.told().count(b"whatsapp.worker.died") == 1


def test_a_reload_for_a_dead_process_takes_its_work_over_too(
    supervised: Callable[[str], Supervised], tmp_path: Path
) -> None:
    one = supervised(READY + "while not pathlib.Path(sys.argv[0]).with_name('die').exists(): time.sleep(0.01)")
    eventually(one.lives, within=20)
    one.program.rename(tmp_path / "away")
    (tmp_path / "die").touch()
    assert eventually(lambda: b"start_failed" in one.told(), within=20)

    (tmp_path / "away").rename(one.program)
    one.process.send_signal(signal.SIGHUP)

    eventually(lambda: len(one.lives()) >= 2, within=20)
    first, second = one.lives()[:2]
    assert second.get("--predecessor") == first["--consumer"]


def test_the_work_of_a_process_that_dies_while_it_is_replaced_is_taken_over(
    supervised: Callable[[str], Supervised], tmp_path: Path
) -> None:
    """The first process dies once the second runs, which is ready only then."""
    one = supervised(
        "import time\n"
        "here = pathlib.Path(sys.argv[0]).parent\n"
        "place = (here / 'lives').read_text().count('\\n')\n"
        "if place == 1: (here / 'pid').write_text(str(os.getpid()))\n"
        "while place == 2 and pathlib.Path('/proc', (here / 'pid').read_text()).exists(): time.sleep(0.01)\n"
        "os.write(int(options['--ready-fd']), b'1')\n"
        "while place != 1 or not (here / 'die').exists(): time.sleep(0.01)"
    )
    eventually(one.lives, within=20)
    one.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(one.lives()) == 2, within=20)
    (tmp_path / "die").touch()

    eventually(lambda: len(one.lives()) == 3, within=20)
    first, _, third = one.lives()
    assert third.get("--predecessor") == first["--consumer"]


def test_the_work_of_a_process_whose_successor_could_not_take_it_over_is_taken_over_by_the_next(
    supervised: Callable[[str], Supervised],
) -> None:
    """The second process ends before it is ready."""
    one = supervised(
        "import time\n"
        "place = (pathlib.Path(sys.argv[0]).parent / 'lives').read_text().count('\\n')\n"
        "if place == 2: sys.exit(3)\n"
        "os.write(int(options['--ready-fd']), b'1')\n"
        "if place > 2: time.sleep(600)"
    )
    eventually(lambda: len(one.lives()) == 3, within=20)
    first, second, third = one.lives()
    assert (second["--predecessor"], third["--predecessor"]) == (first["--consumer"], first["--consumer"])


def test_the_work_of_a_process_that_does_not_end_by_itself_is_taken_over(
    supervised: Callable[[str], Supervised],
) -> None:
    """As where it hangs, and is killed after its time."""
    one = supervised(
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))\n"
        + READY
        + "time.sleep(600)"
    )
    eventually(one.lives, within=20)
    one.process.send_signal(signal.SIGHUP)

    eventually(lambda: len(one.lives()) == 3, within=20)
    first, _, third = one.lives()
    assert third.get("--predecessor") == first["--consumer"]


def test_where_no_successor_can_be_started_the_old_process_continues(
    supervised: Callable[[str], Supervised], tmp_path: Path
) -> None:
    one = supervised(READY + "time.sleep(600)")
    eventually(one.lives, within=20)
    one.program.rename(tmp_path / "away")
    one.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: b"replace_failed" in one.told(), within=20)
    assert one.process.poll() is None
