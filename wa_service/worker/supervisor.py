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
from gevent.queue import Queue

from wa_service import log

SLOWEST_RESTART = 10.0
STOP_SECONDS = 32.0
# A first process that ends by itself within this time said why it cannot start.
FAILED_START = 10.0
# A process that lived this long was well; the pause before the next start begins anew.
WELL_AFTER = 30.0


class _Child:
    """A running worker process and the name it works under."""

    def __init__(self, command: Sequence[str], succeeds: str | None) -> None:
        self.puller = secrets.token_hex(8)
        arguments = ["--puller", self.puller, "--parent", str(os.getpid())]
        if succeeds:
            arguments += ["--succeeds", succeeds]
        self.started = time.monotonic()
        self.process = subprocess.Popen([*command, *arguments])


def supervise(command: Sequence[str] = (sys.executable, "-m", "wa_service", "worker")) -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status (that of a worker that could not start)."""
    logger = log.get_logger()
    signals: Queue[int] = Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        gevent.signal_handler(number, signals.put, number)
    child = _Child(command, None)
    pause = 0.0
    while True:
        try:
            received = signals.get(timeout=0.1)
        except gevent.queue.Empty:
            received = 0
        if received in {signal.SIGTERM, signal.SIGINT}:
            return _stop(child)
        if received == signal.SIGHUP:
            logger.info("whatsapp.worker", outcome="replacing")
            successor = _Child(command, None)
            _stop(child)
            child = successor
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
        child = _Child(command, child.puller)


def _stop(child: _Child) -> int:
    child.process.terminate()
    try:
        child.process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    return 0
