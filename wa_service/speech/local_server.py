"""The speech process of a worker: started, restarted and stopped by the worker."""

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
"""Seconds until a process that could not be set up is started again."""
_RESTART_AFTER = 0.5
_QUEUE = 64
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    # Else it reports to Microsoft and keeps its reports in the home directory.
    "ORT_DISABLE_TELEMETRY": "1",
}
"""The whole environment of the process: a decoder must not see our tokens."""


class LocalSpeechServer:
    """Keep `python -m wa_service.speech ARGUMENTS` running on the unix socket `path`, which only this user can use.

    Connections wait in the socket's queue while the process loads its model or is restarted. They are refused while it
    cannot be set up; `retry_after` seconds later it is started again.
    """

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = (sys.executable, "-m", "wa_service.speech"),
        retry_after: float = _RETRY_SETUP_AFTER,
    ) -> None:
        self._command = [*command, "--with-parent", *arguments]
        self._retry_after = retry_after
        self._directory = tempfile.TemporaryDirectory(prefix="wa-speech-", ignore_cleanup_errors=True)
        self.path = Path(self._directory.name, "socket")
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._stopped = Event()
        self._log = log.get_logger()

    @property
    def pid(self) -> int | None:
        """The id of the master process, None if it is not running."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process; do not wait for its model."""
        listener = self._listen()
        process = self._launch(listener)
        Thread(target=self._keep_running, args=(process, listener), daemon=True, name="speech").start()

    def stop(self) -> None:
        """Kill the process; it has no state to save."""
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
                # A new process group, because Ctrl-C is for the worker, which stops this process.
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
                self._refuse(listener, reason)
            else:
                self._log.warning("whatsapp.conversation.speech_restarted")
                self._stopped.wait(_RESTART_AFTER)
            process, listener = self._start_again(listener)
        listener.close()

    def _start_again(self, listener: socket.socket) -> tuple[subprocess.Popen[bytes] | None, socket.socket]:
        """Start the process again, and retry while the machine has no memory for it, or its program is replaced."""
        while not self._stopped.is_set():
            try:
                if listener.fileno() < 0:
                    listener = self._listen()
                return self._launch(listener), listener
            except OSError as error:
                self._refuse(listener, f"{type(error).__name__}: {error.strerror}")
        return None, listener

    def _refuse(self, listener: socket.socket, reason: str) -> None:
        """Close the socket for a while, so that queued and new connections are refused at once."""
        self._log.warning("whatsapp.conversation.speech_unusable", reason=reason)
        listener.close()
        self._stopped.wait(self._retry_after)


def _reason(process: subprocess.Popen[bytes]) -> str:
    """Read the process's output to the end; return why it could not be set up, "" if it could.

    Other output is dropped: libraries may print about recordings, which must not reach our logs.
    """
    reason = ""
    for line in process.stderr or ():
        text = line.decode(errors="replace").strip()
        if text.startswith(UNUSABLE):
            reason = text.removeprefix(UNUSABLE)
    return reason
