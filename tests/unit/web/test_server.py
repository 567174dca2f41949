"""Our parts of gunicorn: workers that drain their requests, problems instead of HTML pages, one log."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.config import Config  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.http.errors import InvalidChunkSize  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers.base_async import AsyncWorker  # type: ignore[import-untyped]  # gunicorn has no types

from tests.eventually import eventually
from wa_service.web import server
from wa_service.web.server import (
    DrainingGeventWorker,
    IncomingBody,
    ProblemJsonSocket,
    StructlogLogger,
    large_enough,
    run_in_child,
)

ROOT = Path(__file__).parents[3]
Pair = tuple[socket.socket, socket.socket]


class Beating:
    """A worker's heartbeat file, which counts the heartbeats."""

    def __init__(self) -> None:
        self.beats = 0

    def notify(self) -> None:
        self.beats += 1


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield the client's and the server's end of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.settimeout(5)
        yield ours, theirs


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> DrainingGeventWorker:
    """Return a worker that is not running; tests call its methods."""
    made = DrainingGeventWorker(0, os.getppid(), [], None, 30, Config(), logging.getLogger("test"))
    made.tmp = Beating()
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.0)
    return made


def hears_the_end(theirs: socket.socket) -> bool:
    theirs.setblocking(False)
    try:
        return theirs.recv(1) == b""
    except BlockingIOError:
        return False


def serve(worker: DrainingGeventWorker, theirs: socket.socket, monkeypatch: pytest.MonkeyPatch, during: Any) -> None:
    """Let the worker handle a connection; `during` is called meanwhile."""
    monkeypatch.setattr(AsyncWorker, "handle", lambda *_: during())
    monkeypatch.setattr(AsyncWorker, "handle_request", lambda *_: None)
    worker.handle(theirs, theirs, ("127.0.0.1", 1))


def test_a_worker_that_ends_shuts_a_connection_on_which_nothing_happens(
    worker: DrainingGeventWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def during() -> None:
        worker.alive = False
        worker.notify()
        assert hears_the_end(pair[1])

    serve(worker, pair[1], monkeypatch, during)


def test_a_worker_that_lives_leaves_an_idle_connection_open(
    worker: DrainingGeventWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def during() -> None:
        worker.notify()
        assert not hears_the_end(pair[1])

    serve(worker, pair[1], monkeypatch, during)
    assert worker.tmp.beats == 1


def test_a_worker_that_ends_leaves_a_connection_with_a_request_open(
    worker: DrainingGeventWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answering(*_: Any) -> None:
        worker.alive = False
        worker.notify()
        assert not hears_the_end(pair[1])

    def during() -> None:
        monkeypatch.setattr(AsyncWorker, "handle_request", answering)
        worker.handle_request("", None, pair[1], ("127.0.0.1", 1))
        worker.notify()
        assert hears_the_end(pair[1])

    serve(worker, pair[1], monkeypatch, during)


class Reader:
    """Gunicorn's reader of a request body."""

    def __init__(self, length: int) -> None:
        self.length = length


@pytest.mark.parametrize(
    ("path", "length", "after", "cut_off"),
    [
        ("/webhooks/whatsapp", 4_194_304, 29, False),
        ("/webhooks/whatsapp", 4_194_304, 31, True),
        ("/webhooks/whatsapp", 0, 31, False),
        ("/v1/media", 100 << 20, 1_800, False),
        ("/v1/media", 100 << 20, 3_600, True),
    ],
)
def test_a_body_that_does_not_come_is_cut_off_by_its_time(
    worker: DrainingGeventWorker, pair: Pair, path: str, length: int, after: float, cut_off: bool
) -> None:
    body = IncomingBody(Reader(length), path)
    worker._bodies[pair[1]] = body

    assert worker._overdue(body.since + after) == ({pair[1]} if cut_off else set())


def test_of_too_many_that_are_waited_for_the_longest_go_first(
    worker: DrainingGeventWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_WAITED_FOR", 1)
    with contextlib.ExitStack() as stack:
        first, second, fresh = (stack.enter_context(socket.socket()) for _ in range(3))
        worker._idle_since |= {second: 20.0, first: 10.0, fresh: 99.0}

        assert worker._overdue(100.0) == {first}


def test_a_flood_of_small_chunks_is_refused_and_a_slow_line_is_not() -> None:
    assert len(b"".join(large_enough(iter([b"x" * 64] * 60_000)))) == 60_000 * 64
    assert len(list(large_enough(iter([b"x"] * 1_000)))) == 1_000
    with pytest.raises(InvalidChunkSize):
        list(large_enough(iter([b"x"] * 2_000)))


def test_what_gunicorn_refuses_is_a_problem(pair: Pair) -> None:
    page = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<h1>Bad Request</h1>"

    ProblemJsonSocket(pair[1]).sendall(page)

    head, _, body = pair[0].recv(65_536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["type"] == "/docs#invalid-request"


@pytest.fixture
def logger() -> Iterator[StructlogLogger]:
    made = StructlogLogger(Config())
    yield made
    for each in (made.error_log, made.access_log):
        each.propagate = False


def test_gunicorn_s_lines_pass_through_our_log(logger: StructlogLogger, caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("Worker %s was sent a signal", 7)

    assert [record.getMessage() for record in caplog.records] == ["Worker 7 was sent a signal"]
    assert logger.error_log.handlers == []


def test_a_line_that_is_no_request_is_not_quoted(logger: StructlogLogger, caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("Invalid request from ip=10.0.0.1: GET /?text=my+secret")

    assert [record.getMessage() for record in caplog.records] == ["Invalid request from ip=10.0.0.1"]


@pytest.mark.parametrize("status", [1, 3])
def test_a_check_that_fails_ends_the_start(status: int) -> None:
    with pytest.raises(SystemExit) as ended:
        run_in_child(lambda: status)

    assert ended.value.code == status


def test_a_check_that_passes_lets_the_start_go_on() -> None:
    run_in_child(lambda: 0)


def test_a_worker_does_not_start_where_tls_was_taken_before_the_patch(
    worker: DrainingGeventWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        worker.patch()

    assert ended.value.code == Arbiter.APP_LOAD_ERROR
    assert "leave --preload out" in capsys.readouterr().err


def environment(directory: Path, redis_url: str) -> dict[str, str]:
    """Return the environment for a process of the service, without that of the tests."""
    return {
        "PATH": os.environ["PATH"],
        "WA_ENV_FILE": os.devnull,
        "WHATSAPP_ACCESS_TOKEN": "token",
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_VERIFY_TOKEN": "shake",
        "WHATSAPP_APP_SECRET": "secret",
        "REDIS_URL": redis_url,
        "WA_VAR_DIR": str(directory),
    }


def in_a_process(directory: Path, redis_url: str, code: str) -> str:
    """Run code in a process that loads the application as gunicorn's workers do; return its output."""
    env = environment(directory, redis_url)
    command = [sys.executable, "-c", f"import wsgi\n{code}"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=60).stdout


def test_what_a_process_counted_last_is_written_when_it_ends(tmp_path: Path, valkey_url: str) -> None:
    in_a_process(tmp_path, valkey_url, "wsgi.app.extensions['metrics_buffer'].webhook_answered('stored', 0.1)")

    told = in_a_process(tmp_path, valkey_url, "print(wsgi.app.test_client().get('/metrics').text)")

    assert 'whatsapp_webhooks_total{outcome="stored"} 1.0' in told


def test_a_stop_while_the_workers_still_load_ends_them_too(tmp_path: Path, valkey_url: str) -> None:
    env = environment(tmp_path, valkey_url) | {"WA_BIND": f"unix:{tmp_path / 'web.sock'}", "WEB_CONCURRENCY": "2"}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--graceful-timeout", "3600"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Booting worker" in line:
                break
        process.terminate()
        process.stderr.read()
        assert process.wait(30) == 0


def test_a_stop_signal_right_after_the_fork_ends_the_worker(tmp_path: Path, valkey_url: str) -> None:
    config = tmp_path / "signalled.py"
    config.write_text(
        "import os, runpy, signal\n"
        f"globals().update(runpy.run_path({str(ROOT / 'wa_service' / 'gunicorn_conf.py')!r}))\n"
        "def post_fork(server, worker):\n"
        "    if worker.age == 1:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    env = environment(tmp_path, valkey_url) | {"WA_BIND": f"unix:{tmp_path / 'web.sock'}", "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", "gunicorn", "-c", str(config)]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        booted = 0
        overdue = threading.Timer(30, process.kill)
        overdue.start()
        for line in process.stderr:
            booted += "Booting worker" in line
            if booted == 2:  # the first one ended, and was replaced
                break
        overdue.cancel()
        process.terminate()
        process.stderr.read()
        assert (booted, process.wait(30)) == (2, 0)


def test_a_unix_socket_is_for_its_owner_and_group_alone(tmp_path: Path, valkey_url: str) -> None:
    place = tmp_path / "web.sock"
    env = environment(tmp_path, valkey_url) | {"WA_BIND": f"unix:{place}", "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL, umask=0) as process:
        try:
            eventually(place.is_socket, within=30)
            eventually(lambda: stat.S_IMODE(place.stat().st_mode) == 0o770, within=5)
        finally:
            process.terminate()
            process.wait(30)
