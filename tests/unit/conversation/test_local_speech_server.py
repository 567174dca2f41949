"""The worker survives a speech process that dies, hangs, fails or allocates too much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.eventually import eventually
from wa_service.conversation.embeddings import EmbeddingsClient, similarity
from wa_service.conversation.http_speech import LocalSpeechClient, SpeechFailedError
from wa_service.resilience.breaker import Unavailable
from wa_service.resilience.http import HttpCaller
from wa_service.speech.audio import MAX_BYTES, AudioContainer, RecordingUnreadableError
from wa_service.speech.local_server import ENVIRONMENT, LocalSpeechServer

HERE = Path(__file__).parent
COMMAND = (sys.executable, str(HERE / "toy_speech.py"))
MEGABYTE = 1024 * 1024

Make = Callable[..., "Toy"]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:  # it may end between two steps
        return True


class Toy:
    """A client of `toy_speech.py`, and the server that it starts."""

    def __init__(
        self,
        *arguments: str,
        seconds: float = 30.0,
        processes: int = 1,
        wait_seconds: float = 20.0,
        command: Sequence[str] = COMMAND,
        **server: float,
    ) -> None:
        self.server = LocalSpeechServer(*arguments, "--processes", str(processes), command=command, **server)
        self.client = LocalSpeechClient(self.server, seconds=seconds, processes=processes, wait_seconds=wait_seconds)
        self.client.start()

    def ask(self, do: str, padding: int = 0, **others: Any) -> dict[str, Any]:
        recording = b"OggS" + json.dumps({"do": do, **others}).encode() + bytes(padding)
        answer: dict[str, Any] = json.loads(self.client.transcribe(recording, AudioContainer.OGG).text)
        return answer

    def hang(self) -> None:
        """Send a request that hangs until it fails."""
        with pytest.raises(SpeechFailedError):
            self.ask("hang")


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Toy] = []

    def make(*arguments: str, **others: Any) -> Toy:
        made.append(Toy(*arguments, **others))
        return made[-1]

    yield make
    for toy in made:
        toy.client.stop()


def test_the_process_answers_what_it_is_asked_once_its_model_is_there(make: Make) -> None:
    assert make().ask("echo")["size"] == 18


def test_the_largest_recording_fits(make: Make) -> None:
    assert make().ask("echo", padding=MAX_BYTES - 18)["size"] == MAX_BYTES


def test_the_same_process_is_asked_again(make: Make) -> None:
    toy = make()

    assert len({toy.ask("echo")["pid"] for _ in range(3)}) == 1


def test_a_request_past_its_deadline_fails(make: Make) -> None:
    toy = make(seconds=0.3)
    began = time.monotonic()

    with pytest.raises(SpeechFailedError):
        toy.ask("hang")

    assert time.monotonic() - began < 20  # before the server's own timeout of 30 s


def test_a_process_that_hangs_is_replaced(make: Make) -> None:
    toy = make("--timeout", "1", seconds=20.0)
    pid = toy.ask("echo")["pid"]

    with pytest.raises(SpeechFailedError):
        toy.ask("hang")

    assert toy.ask("echo")["pid"] != pid
    assert is_gone(pid)


def test_one_that_replaces_another_answers_although_files_were_changed_beside_its_modules(
    make: Make, tmp_path: Path
) -> None:
    toy = make("--timeout", "1", seconds=20.0, command=("/usr/bin/env", f"PYTHONPATH={tmp_path}", *COMMAND))
    pid = toy.ask("echo")["pid"]
    toy.hang()
    (tmp_path / "new").touch()

    assert toy.ask("echo")["pid"] != pid


def test_a_process_killed_in_the_middle_is_replaced_and_the_work_done_after_all(make: Make, tmp_path: Path) -> None:
    toy = make()
    pid = toy.ask("echo")["pid"]

    assert toy.ask("die once", mark=str(tmp_path / "mark"))["pid"] != pid


def test_work_that_kills_every_process_is_given_up(make: Make) -> None:
    toy = make()

    with pytest.raises(SpeechFailedError):
        toy.ask("die")

    assert toy.ask("echo")


def test_a_process_killed_between_two_requests_is_replaced(make: Make) -> None:
    toy = make()
    pid = toy.ask("echo")["pid"]
    os.kill(pid, 9)

    assert toy.ask("echo")["pid"] != pid


def test_when_the_whole_group_is_killed_another_is_started(make: Make) -> None:
    toy = make()
    toy.ask("echo")
    master = toy.server.pid
    assert master is not None
    with capture_logs() as lines:
        os.killpg(master, 9)
        eventually(lambda: toy.server.pid not in {None, master}, within=15.0)

    assert toy.ask("echo")
    assert [line["event"] for line in lines] == ["whatsapp.conversation.speech_restarted"]


def test_when_the_master_is_killed_a_process_that_hangs_goes_with_it(make: Make) -> None:
    toy = make(seconds=5.0)
    pid = toy.ask("echo")["pid"]
    toy.hang()
    master = toy.server.pid
    assert master is not None
    os.kill(master, 9)

    eventually(lambda: toy.server.pid not in {None, master}, within=15.0)
    assert is_gone(pid)


def test_a_process_that_cannot_be_started_again_is_tried_until_it_can(make: Make, tmp_path: Path) -> None:
    program, away = tmp_path / "speech", tmp_path / "away"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    toy = make(command=(str(program), *COMMAND[1:]), retry_after=0.1)
    pid = toy.ask("echo")["pid"]
    master = toy.server.pid
    assert master is not None
    program.rename(away)
    with capture_logs() as lines:
        os.killpg(master, 9)
        eventually(lambda: "whatsapp.conversation.speech_unusable" in {line["event"] for line in lines}, within=15.0)
    away.rename(program)

    eventually(lambda: toy.server.pid is not None, within=15.0)
    assert toy.ask("echo")["pid"] != pid


def test_a_process_cannot_eat_more_than_its_share_and_is_then_replaced(make: Make) -> None:
    toy = make("--memory", str(512 * MEGABYTE))
    pid = toy.ask("echo")["pid"]

    with pytest.raises(RecordingUnreadableError):
        toy.ask("eat")

    assert toy.ask("echo")["pid"] != pid


def test_work_that_fails_does_not_end_the_process_and_tells_no_secret(make: Make) -> None:
    toy = make()
    pid = toy.ask("echo")["pid"]

    with capture_logs() as lines, pytest.raises(SpeechFailedError, match="HTTP 500"):
        toy.ask("fail")

    assert "secret" not in str(lines)
    assert toy.ask("echo")["pid"] == pid


def test_during_a_request_no_file_can_be_opened(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("a secret")
    toy = make()

    for _ in range(3):
        assert toy.ask("open", path=str(path))["error"] == "OSError"


def test_the_process_is_told_nothing_of_our_environment(make: Make) -> None:
    told = make().ask("environment")["environment"]

    # Python sets LC_CTYPE, gunicorn SERVER_SOFTWARE.
    assert told.keys() <= ENVIRONMENT.keys() | {"LC_CTYPE", "SERVER_SOFTWARE"}


def test_the_process_is_as_nice_as_planned(make: Make) -> None:
    assert make("--niceness", "7").ask("niceness")["niceness"] >= 7


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can refuse to trace a process")
def test_the_process_writes_no_core_file_and_cannot_be_traced(make: Make) -> None:
    seen = make().ask("protection")
    assert (seen["core_bytes"], seen["is_dumpable"]) == (0, 0)


def test_a_process_that_cannot_be_set_up_says_why_and_refuses_at_once(make: Make) -> None:
    with capture_logs() as lines:
        toy = make("--refuse", "the weights are wrong")
        eventually(lambda: lines, within=15.0)
        for _ in range(3):
            with pytest.raises(SpeechFailedError):
                toy.ask("echo")

    assert [(line["event"], line["reason"]) for line in lines if "unusable" in line["event"]] == [
        ("whatsapp.conversation.speech_unusable", "RuntimeError: the weights are wrong")
    ]


def test_who_is_queued_at_a_process_that_cannot_be_set_up_is_refused(make: Make) -> None:
    toy = make("--refuse", "no")
    began = time.monotonic()

    with pytest.raises(SpeechFailedError):
        toy.ask("echo")

    assert time.monotonic() - began < 20  # without waiting for the client's timeouts


def test_two_processes_work_side_by_side(make: Make) -> None:
    toy = make(processes=2)
    hanging = threading.Thread(target=toy.hang)
    hanging.start()
    # Once one process hangs, the other serves every request.
    eventually(lambda: len({toy.ask("echo")["pid"] for _ in range(5)}) == 1, within=15.0)
    toy.client.stop()
    hanging.join(10)


def test_two_callers_of_one_process_both_get_their_answer(make: Make) -> None:
    toy = make()
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(toy.ask("echo"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(answers) == 8


def test_who_waits_too_long_for_a_turn_is_told_to_come_back(make: Make) -> None:
    toy = make(wait_seconds=0.1)
    toy.ask("echo")
    hanging = threading.Thread(target=toy.hang)
    hanging.start()

    def is_told() -> bool:
        try:
            toy.ask("echo")
        except Unavailable:
            return True
        return False

    eventually(is_told, within=15.0)
    toy.client.stop()
    hanging.join(10)


def test_stop_is_quick_and_leaves_no_process_even_in_the_middle_of_work(make: Make) -> None:
    toy = make()
    pid = toy.ask("echo")["pid"]
    hanging = threading.Thread(target=toy.hang)
    hanging.start()
    began = time.monotonic()
    toy.client.stop()
    took = time.monotonic() - began
    hanging.join(10)

    assert (took < 30, toy.server.pid, toy.server.path.exists()) == (True, None, False)
    assert eventually(lambda: is_gone(pid), within=15.0)


def test_start_does_not_wait_for_the_model(make: Make) -> None:
    began = time.monotonic()
    make("--slow")

    assert time.monotonic() - began < 50  # loading takes 60 s


def test_texts_get_their_vectors(make: Make) -> None:
    toy = make()
    embeddings = EmbeddingsClient("http://localhost", caller=HttpCaller(unix_socket=toy.server.path))

    vectors = embeddings.embed(["ab"] * 100 + ["abcd"], seconds=10)

    assert len(vectors) == 101
    assert similarity(vectors[0], vectors[99]) == pytest.approx(1.0)
    assert similarity(vectors[0], vectors[100]) < 0.99


ORPHAN = """
    import sys
    sys.path[:0] = [{root!r}, {here!r}]
    from test_local_speech_server import Toy
    toy = Toy()
    print(toy.ask("echo")["pid"], toy.server.pid, toy.server.path, flush=True)
    toy.ask("hang")
"""


def test_the_process_ends_in_the_middle_of_its_work_when_its_worker_is_killed() -> None:
    program = textwrap.dedent(ORPHAN).format(root=str(HERE.parents[2]), here=str(HERE))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pid, master, path = worker.stdout.readline().split()
        worker.kill()

    assert eventually(lambda: is_gone(int(pid)) and is_gone(int(master)), within=15.0)
    assert eventually(lambda: not Path(os.fsdecode(path)).parent.exists(), within=15.0)


GREEN = """
    from gevent import monkey; monkey.patch_all()
    import sys, time
    sys.path[:0] = [{root!r}, {here!r}]
    import gevent, structlog
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    from test_local_speech_server import Toy, SpeechFailedError
    toy = Toy("--timeout", "1", seconds=20)
    toy.ask("echo")
    ticks = []
    def tick():
        while True:
            gevent.sleep(0.005)
            ticks.append(1)
    ticker = gevent.spawn(tick)
    try:
        toy.ask("hang")
    except SpeechFailedError:
        print("slow")
    print(toy.ask("echo", padding=15 * 1024 * 1024)["size"] > 15_000_000)
    try:
        with gevent.Timeout(0.3):
            toy.ask("hang")
    except gevent.Timeout:
        print("cut off")
    print(toy.ask("echo")["size"])
    toy.client.stop()
    print(len(ticks) > 50, toy.server.pid)
"""


def test_under_gevent_other_greenlets_go_on_and_a_cut_off_request_leaves_no_answer_behind() -> None:
    program = textwrap.dedent(GREEN).format(root=str(HERE.parents[2]), here=str(HERE))

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split("\n")[:-1] == ["slow", "True", "cut off", "18", "True None"], done.stderr


FORBIDDEN = ("gevent", "flask", "redis", "requests", "prometheus_client", "pydantic")


def test_the_process_imports_no_web_no_store_and_no_hub() -> None:
    program = "import sys, wa_service.speech.server; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=HERE.parents[2]
    )

    assert not set(FORBIDDEN) & set(done.stdout.split())
