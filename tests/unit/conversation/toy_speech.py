"""A fake speech process, for the tests of its client and supervisor: `toy_speech.py OPTIONS`.

A recording is `OggS` and JSON that says what to do; the transcription is JSON, too.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from wa_service.speech.app import SpeechApp
from wa_service.speech.audio import AudioContainer
from wa_service.speech.server import ServerOptions, SpeechServer

PR_GET_DUMPABLE = 3


def transcribe(content: bytes, _container: AudioContainer) -> dict[str, Any]:
    """Do what the recording says."""
    asked = json.loads(content[4:].split(b"\0", 1)[0])
    said: dict[str, Any] = {"pid": os.getpid(), "size": len(content)}
    match asked["do"]:
        case "hang":
            time.sleep(60)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die once":
            mark = Path(asked["mark"])
            if not mark.exists():
                # The process can open no files here; creating a directory needs no file descriptor.
                mark.mkdir()
                os.kill(os.getpid(), signal.SIGKILL)
        case "fail":
            raise ValueError("a secret")
        case "eat":
            bytearray(1024**3)
        case "open":
            try:
                Path(asked["path"]).read_text()
            except OSError as error:
                said["error"] = type(error).__name__
        case "environment":
            said["environment"] = dict(os.environ)
        case "niceness":
            said["niceness"] = os.nice(0)
        case "protection":
            said["core_bytes"] = resource.getrlimit(resource.RLIMIT_CORE)[0]
            said["is_dumpable"] = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE)
    return {"text": json.dumps(said), "segments": []}


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Return a vector for each text, whose direction depends on the length."""
    return [[1.0, float(len(text))] for text in texts]


def make_app(refuse: str, slow: bool) -> SpeechApp:
    if refuse:
        raise RuntimeError(refuse)
    if slow:
        time.sleep(60)
    return SpeechApp(transcribe, embed)


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--bind", required=True)
    parser.add_argument("--with-parent", action="store_true")
    parser.add_argument("--refuse", default="")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--timeout", type=float, default=30.0)
    parser.add_argument("--memory", type=int, default=2 * 1024**3)
    parser.add_argument("--niceness", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    options = ServerOptions(
        bind=given.bind,
        processes=given.processes,
        timeout=given.timeout,
        niceness=given.niceness,
        memory_bytes=given.memory,
        with_parent=given.with_parent,
    )
    SpeechServer(lambda: make_app(given.refuse, given.slow), options).run()
