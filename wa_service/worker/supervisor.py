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

from wa_service.observability import log
from wa_service.worker.restarts import Restarts

START_SECONDS = 30.0
STOP_SECONDS = 32.0
# A first process that ends by itself within this time said why it cannot start.
FAILED_START = 10.0
# What a process has said is there to be read when it is dead.
SAID_SECONDS = 0.1


class _Child:
    """A worker process, the name it works under, and a pipe through which it says that it works."""

    def __init__(self, command: Sequence[str], *extra: str) -> None:
        self.puller = secrets.token_hex(8)
        self.started = time.monotonic()
        told, tell = os.pipe()
        make_nonblocking(told)
        self._told = os.fdopen(told, "rb", buffering=0)  # closed with this object
        self._works = False
        arguments = ["--puller", self.puller, "--parent", str(os.getpid()), "--tell", str(tell), *extra]
        try:
            self.process = subprocess.Popen([*command, *arguments], pass_fds=[tell])
        finally:
            os.close(tell)

    def works(self, within: float) -> bool:
        """Whether it says within so many seconds that it works; not when it ends instead."""
        if not self._works:
            with gevent.Timeout(within, exception=False):
                self._works = nb_read(self._told.fileno(), 1) == b"1"
        return self._works

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
    first = True
    restarts = Restarts()
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
        lived, worked = time.monotonic() - child.started, child.works(SAID_SECONDS)
        if status > 0 and lived < FAILED_START and first and not worked:
            return int(status)
        first = False
        logger.error("whatsapp.worker.died", status=status, seconds=round(lived, 1))
        gevent.sleep(restarts.pause(worked=worked, lived=lived))
        child = _Child(command, "--succeeds", child.puller)


def _replaced(child: _Child, command: Sequence[str], logger: FilteringBoundLogger) -> _Child:
    """A successor that works, with the settings as they are now; the same child where there is none."""
    successor = _Child(command)
    if not successor.works(START_SECONDS):
        logger.error("whatsapp.worker.replace_failed", reason="the successor could not start")
        successor.stop()
        return child
    child.stop()
    logger.info("whatsapp.worker.replaced", puller=child.puller, successor=successor.puller)
    return successor
