"""The speech process of a worker: started with the worker, started again when it ends, ended with it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Lock, Thread

from wa_service.observability import log
from wa_service.speech import UNUSABLE

_ROOT = Path(__file__).resolve().parents[2]
_RETRY_SETUP_AFTER = 30.0
"""Seconds until a process that could not be set up is tried once more."""
_RESTART_AFTER = 0.5
_QUEUE = 64
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
"""All that the process is told of ours: no token of ours is any business of a decoder's."""


class LocalSpeechServer:
    """Keeps `python -m wa_service.speech ARGUMENTS` running on the unix socket `path`, which only this user can use.

    Connections wait in the socket's queue while the process loads its model or is replaced. While it cannot be set
    up, they are refused.
    """

    def __init__(self, *arguments: str, command: Sequence[str] = (sys.executable, "-m", "wa_service.speech")) -> None:
        self._command = [*command, "--with-parent", *arguments]
        self._directory = tempfile.TemporaryDirectory(prefix="wa-speech-", ignore_cleanup_errors=True)
        self.path = Path(self._directory.name, "socket")
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._stopped = Event()
        self._log = log.get_logger()

    @property
    def pid(self) -> int | None:
        """The id of the process that keeps the workers, while it is there."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process, without waiting for its model."""
        listener = self._listen()
        process = self._launch(listener)
        Thread(target=self._keep_running, args=(process, listener), daemon=True, name="speech").start()

    def stop(self) -> None:
        """End the process for good and at once: it holds nothing that is worth a farewell."""
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._directory.cleanup()

    def _listen(self) -> socket.socket:
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(_QUEUE)
        return listener

    def _launch(self, listener: socket.socket) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped.is_set():
                return None
            bind = f"fd://{listener.fileno()}"
            self._process = subprocess.Popen(
                [*self._command, "--bind", bind],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=_ROOT,
                env=ENVIRONMENT,
                pass_fds=[listener.fileno()],
                # A group of its own: Ctrl-C is for the worker, which ends us in order.
                start_new_session=True,
            )
            return self._process

    def _keep_running(self, process: subprocess.Popen[bytes] | None, listener: socket.socket) -> None:
        while process is not None:
            reason = _reason(process)
            process.wait()
            if self._stopped.is_set():
                break
            if reason:
                self._log.warning("whatsapp.conversation.speech_unusable", reason=reason)
                # Closed meanwhile: who is queued, and who comes, is refused at once.
                listener.close()
                self._stopped.wait(_RETRY_SETUP_AFTER)
                if not self._stopped.is_set():
                    listener = self._listen()
            else:
                self._log.warning("whatsapp.conversation.speech_restarted")
                self._stopped.wait(_RESTART_AFTER)
            process = self._launch(listener)
        listener.close()


def _reason(process: subprocess.Popen[bytes]) -> str:
    """Read to the end what the process writes; return why it could not be set up, "" where it could.

    Whatever else a library prints about a recording reaches no log of ours.
    """
    reason = ""
    for line in process.stderr or ():
        text = line.decode(errors="replace").strip()
        if text.startswith(UNUSABLE):
            reason = text.removeprefix(UNUSABLE)
    return reason
