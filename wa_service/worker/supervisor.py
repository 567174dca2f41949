"""Keeps one worker process alive, and replaces it on SIGHUP by one that reads the settings anew.

A process that dies leaves leases and claims behind; its successor gives them back at once, so that the customers
whose messages it held do not wait for a lease to run out because of somebody else's poisonous message.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence

import gevent
from gevent import subprocess
from gevent.os import make_nonblocking, nb_read
from gevent.queue import Queue
from structlog.typing import FilteringBoundLogger

from wa_service import log

SLOWEST_RESTART = 10.0
START_SECONDS = 30.0
STOP_SECONDS = 32.0
# A first process that ends by itself within this time said why it cannot start.
FAILED_START = 10.0
# A process that lived this long was well; the pause before the next start begins anew.
WELL_AFTER = 30.0


class _Child:
    """A worker process and the name it works under."""

    def __init__(self, command: Sequence[str], *extra: str, pass_fds: Sequence[int] = ()) -> None:
        self.puller = secrets.token_hex(8)
        self.started = time.monotonic()
        arguments = ["--puller", self.puller, "--parent", str(os.getpid()), *extra]
        self.process = subprocess.Popen([*command, *arguments], pass_fds=pass_fds)

    def stop(self) -> None:
        """Ends it, giving it time to finish what it does."""
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def supervise(command: Sequence[str] = (sys.executable, "-m", "wa_service", "worker")) -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status (that of a worker that could not start)."""
    logger = log.get_logger()
    signals: Queue[int] = Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        gevent.signal_handler(number, signals.put, number)
    child = _Child(command)
    pause = 0.0
    while True:
        try:
            received = signals.get(timeout=0.1)
        except gevent.queue.Empty:
            received = 0
        if received in {signal.SIGTERM, signal.SIGINT}:
            child.stop()
            return 0
        if received == signal.SIGHUP:
            child = _replaced(child, command, logger)
            continue
        status = child.process.poll()
        if status is None:
            continue
        lived = time.monotonic() - child.started
        if status > 0 and lived < FAILED_START and pause == 0.0:
            return int(status)
        if lived > WELL_AFTER:
            pause = 0.0
        logger.error("whatsapp.worker", outcome="died", status=status, seconds=round(lived, 1))
        gevent.sleep(pause)
        pause = min(SLOWEST_RESTART, pause * 2 or 0.2)
        child = _Child(command, "--succeeds", child.puller)


def _replaced(child: _Child, command: Sequence[str], logger: FilteringBoundLogger) -> _Child:
    """A successor that works, with the settings as they are now; the same child where there is none."""
    logger.info("whatsapp.worker", outcome="replacing")
    told, tell = os.pipe()
    try:
        successor = _Child(command, "--tell", str(tell), pass_fds=[tell])
    finally:
        os.close(tell)
    try:
        works = _heard(told)
    finally:
        os.close(told)
    if not works:
        logger.error("whatsapp.worker", outcome="not_replaced", reason="the successor could not start")
        successor.stop()
        return child
    child.stop()
    return successor


def _heard(pipe: int) -> bool:
    """Whether a process says at the other end that it works; not when it ends instead or takes too long."""
    make_nonblocking(pipe)
    word = b""
    with gevent.Timeout(START_SECONDS, exception=False):
        word = nb_read(pipe, 1)
    return bytes(word) == b"1"
