"""`python -m wa_service speech`: speech to text and sentence embeddings, in separate processes.

gunicorn's master keeps the listening socket and replaces a worker that dies or hangs; a sync worker handles one request
at a time, others wait in the socket's queue. A worker has a memory limit, writes no core dump, cannot be traced, and
can open no file once its model is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import click
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # gunicorn has no types

from wa_service.memory_guard import protect_memory
from wa_service.speech import UNUSABLE
from wa_service.speech.app import SpeechApp

MAX_SECONDS = 180.0
"""Most seconds of sound in one recording."""
_MEMORY_BYTES = 2 * 1024**3
# gunicorn's exit status for a worker that cannot boot: the master exits as well.
_GIVE_UP = 3
_CANNOT_LISTEN = 1
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Options of the server. `bind`: gunicorn's form (unix:path, address:port, fd://3). `timeout`: of a request (s).

    `with_parent`: end when standard input closes, because the parent process has ended.
    """

    bind: str
    processes: int = 1
    timeout: float = 30.0
    niceness: int = 0
    memory_bytes: int = _MEMORY_BYTES
    with_parent: bool = False


class SpeechServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with the limits of the speech process; `make_app` loads the model in the worker."""

    def __init__(self, make_app: Callable[[], Any], options: ServerOptions) -> None:
        self._make_app = make_app
        self._options = options
        self._sockets: list[str] = []
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings; a hook of BaseApplication."""
        options = self._options
        settings = {
            "bind": options.bind,
            "workers": options.processes,
            "worker_class": "sync",
            "timeout": math.ceil(options.timeout) + 1,
            "graceful_timeout": 1,
            "http_parser": "python",  # the default imports another at the first request, when no file can be opened
            "loglevel": "critical",
            "control_socket_disable": True,
            "post_worker_init": lambda _worker: _open_no_more_files(),
            "when_ready": self._note_sockets,
            "on_exit": lambda _arbiter: self._remove_sockets(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application; a hook of BaseApplication, called in each worker."""
        if self._options.with_parent:
            Thread(target=_end_with_parent, daemon=True, name="parent").start()
        _limit(self._options)
        try:
            return self._make_app()
        except Exception as error:  # noqa: BLE001  # report the reason of any failure
            print(f"{UNUSABLE}{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            sys.exit(_GIVE_UP)

    def _note_sockets(self, arbiter: Any) -> None:
        self._sockets = [str(listener.getsockname()) for listener in arbiter.LISTENERS]

    def _remove_sockets(self) -> None:
        """Remove the socket's directory, which a killed parent could not remove."""
        for path in map(Path, self._sockets if self._options.with_parent else []):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()


def make_speech_app(
    *, transcribe: bool, embed: bool, model: Path | None = None, max_seconds: float = MAX_SECONDS
) -> SpeechApp:
    """Return the application, with the requested models loaded."""
    transcriber = encoder = None
    # Imported here, because the master needs no model libraries, and each is an optional extra.
    if transcribe:
        from wa_service.speech.whisper import WhisperTranscriber

        transcriber = WhisperTranscriber(model, max_seconds)
    if embed:
        from wa_service.speech.sentence_encoder import SentenceEncoder

        encoder = SentenceEncoder()
    return SpeechApp(transcriber, encoder)


@click.command("speech")
@click.option("--bind", default="127.0.0.1:8100", show_default=True, help="address:port or unix:path; has no password")
@click.option("--only", type=click.Choice(["transcriptions", "embeddings"]), help="serve one of the two")
@click.option("--model", type=click.Path(path_type=Path), help="directory of a faster-whisper model, or multilingual")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="requests at a time")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=30.0,
    show_default=True,
    help="seconds a request may take",
)
@click.option("--niceness", type=click.IntRange(0, 19), default=0, show_default=True, help="the processes' niceness")
@click.option("--with-parent", is_flag=True, help="end when standard input closes")
def main(only: str | None, model: Path | None, **options: Any) -> None:
    """Serve speech to text and sentence embeddings (OpenAI's API) until a signal ends it."""
    given = ServerOptions(**options)
    transcribe, embed = only != "embeddings", only != "transcriptions"
    server = SpeechServer(lambda: make_speech_app(transcribe=transcribe, embed=embed, model=model), given)
    try:
        server.run()
    except (OverflowError, SystemExit) as ended:
        # gunicorn's log, which would say it, is off.
        if getattr(ended, "code", _CANNOT_LISTEN) == _CANNOT_LISTEN:
            sys.exit(f"speech cannot listen on {given.bind}: it is in use, or no address of this machine.")
        raise


def _limit(options: ServerOptions) -> None:
    # No core dump with voice data on disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    protect_memory()
    # With the master goes this process, even while it hangs. Otherwise it would keep the socket, unsupervised.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # macOS refuses RLIMIT_AS; only the timeout applies there.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (options.memory_bytes, options.memory_bytes))
    os.nice(options.niceness)


def _open_no_more_files() -> None:
    """Allow one more file descriptor, for the request's connection, so that a request can open no file."""
    # Late imports fail as missing modules. Otherwise, once a directory of sys.path has changed, the import system would
    # read it again, and each request would end in an OSError.
    sys.path.clear()
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, lowest_free + 1))


def _end_with_parent() -> None:
    """Exit at once when standard input closes, even during a request; the master follows."""
    while os.read(0, 1):
        pass
    os._exit(_GIVE_UP)
