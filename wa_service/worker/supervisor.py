"""Keep one worker process alive, and replace it on SIGHUP by one with the current settings.

A process that dies leaves leases and claims behind. Its successor releases them at once, so that customers do not wait
until the leases expire.
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
from gevent.queue import Empty, Queue
from structlog.typing import FilteringBoundLogger

from wa_service.observability import log
from wa_service.worker.restart_backoff import RestartBackoff

START_SECONDS = 30.0
STOP_SECONDS = 32.0
START_AGAIN_SECONDS = 1.0
# Enough for a dead process: what it wrote is in the pipe already.
READ_SECONDS = 0.1
# Exit statuses of a process that released its work, or was stopped before it had any.
_STOPPED = frozenset({0, -signal.SIGTERM})


class _Child:
    """A worker process, its consumer name, and the pipe through which it reports that it is ready.

    `predecessor`: a process that died, whose work this one takes over; its ledger says which sends may have left.
    """

    def __init__(self, command: Sequence[str], predecessor: _Child | None = None) -> None:
        self.consumer = secrets.token_hex(8)
        self.started = time.monotonic()
        read_end, write_end = os.pipe()
        make_nonblocking(read_end)
        self._pipe = os.fdopen(read_end, "rb", buffering=0)  # closed with this object
        self._has_worked = False
        self._ledger = os.fdopen(os.memfd_create("sends"), "rb", buffering=0)  # closed with this object
        inherited = [write_end, self._ledger.fileno()]
        arguments = ["--consumer", self.consumer, "--parent", str(os.getpid()), "--ready-fd", str(write_end)]
        arguments += ["--ledger-fd", str(self._ledger.fileno())]
        if predecessor is not None:
            inherited.append(predecessor._ledger.fileno())
            arguments += ["--predecessor", predecessor.consumer]
            arguments += ["--predecessor-ledger-fd", str(predecessor._ledger.fileno())]
        try:
            self.process = subprocess.Popen([*command, *arguments], pass_fds=inherited)
        finally:
            os.close(write_end)

    def has_worked(self, within: float) -> bool:
        """Whether it reports that it is ready within `within` seconds; False at once if it ends instead."""
        if not self._has_worked:
            with gevent.Timeout(within, exception=False):
                self._has_worked = nb_read(self._pipe.fileno(), 1) == b"1"
        return self._has_worked

    def stop(self) -> None:
        """Terminate it, with time to finish its work."""
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def supervise(command: Sequence[str] = (sys.executable, "-m", "wa_service", "worker")) -> int:
    """Run until SIGTERM or SIGINT; return the exit status (that of a worker that could not start)."""
    logger = log.get_logger()
    signals: Queue[int] = Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        gevent.signal_handler(number, signals.put, number)
    child = _Child(command)
    dead: _Child | None = None  # whose work the next process takes over
    is_started = True
    backoff = RestartBackoff()
    while True:
        try:
            received = signals.get(timeout=0.1)
        except Empty:
            received = 0
        if received in {signal.SIGTERM, signal.SIGINT}:
            child.stop()
            return 0
        status = child.process.poll()
        if status is None:
            if received == signal.SIGHUP:
                child = _replace(child, command, logger)
            continue
        lived, worked = time.monotonic() - child.started, child.has_worked(READ_SECONDS)
        if status > 0 and dead is None and not worked:
            return int(status)  # it has logged why it cannot start
        if is_started:
            logger.error("whatsapp.worker.died", status=status, seconds=round(lived, 1))
            gevent.sleep(backoff.next_pause(worked=worked, lived=lived))
        else:
            gevent.sleep(START_AGAIN_SECONDS)
        if worked or dead is None:
            dead = child  # else it ended before it took over, and the work of the one before it still waits
        successor = _start(command, logger, dead)
        is_started = successor is not None
        child = successor or child


def _start(command: Sequence[str], logger: FilteringBoundLogger, predecessor: _Child | None = None) -> _Child | None:
    """Start a process; None while the machine has no memory for it, or its program is being replaced."""
    try:
        return _Child(command, predecessor)
    except OSError as error:
        logger.warning("whatsapp.worker.start_failed", reason=error.strerror)
        return None


def _replace(child: _Child, command: Sequence[str], logger: FilteringBoundLogger) -> _Child:
    """Start a successor with the current settings; return the old child if the successor cannot start."""
    successor = _start(command, logger)
    if successor is None or not successor.has_worked(START_SECONDS):
        logger.error("whatsapp.worker.replace_failed", reason="the successor could not start")
        if successor is not None:
            successor.stop()
        return child
    has_ended = child.process.poll() is not None
    child.stop()
    # It died meanwhile, or did not end by itself: only a process that is started for it takes over its work.
    if has_ended or child.process.returncode not in _STOPPED:
        successor.stop()
        return child
    logger.info("whatsapp.worker.replaced", consumer=child.consumer, successor=successor.consumer)
    return successor
