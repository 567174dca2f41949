"""One POST to a service of the operator's, with a deadline for all of it and a cap on the answer."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import requests

_CHUNK = 64 * 1024


class OutsideCallError(Exception):
    """No answer that can be used: not reached, too slow, too long. `str()` names the kind, never the content."""


@dataclass(frozen=True, slots=True)
class OutsideAnswer:
    """What came back."""

    status: int
    body: bytes


class OutsideCaller:
    """POSTs with requests, without the environment's proxies and without following redirects."""

    def __init__(self, connect_seconds: float = 3.0, max_answer: int = 1_000_000) -> None:
        self._connect_seconds = connect_seconds
        self._max_answer = max_answer
        self._session = requests.Session()
        self._session.trust_env = False

    def post(self, url: str, *, seconds: float, headers: Mapping[str, str], **content: Any) -> OutsideAnswer:
        """POST `content` (requests' `data` and `files`). Raises OutsideCallError after `seconds` at the latest.

        The time-outs of requests start again with every byte, so a service that drips would hold us for ever.
        So the call runs beside us (a greenlet in production, a thread elsewhere) and we stop listening in time.
        """
        answers: SimpleQueue[OutsideAnswer | OutsideCallError] = SimpleQueue()
        until = time.monotonic() + seconds

        def call() -> None:
            try:
                answers.put(self._post(url, until, headers, content))
            except OutsideCallError as error:
                answers.put(error)
            except (requests.RequestException, OSError, ValueError) as error:
                answers.put(OutsideCallError(type(error).__name__))

        Thread(target=call, daemon=True, name="outside call").start()
        try:
            answer = answers.get(timeout=seconds)
        except Empty:
            raise OutsideCallError("no answer in time") from None
        if isinstance(answer, OutsideCallError):
            raise answer
        return answer

    def _post(self, url: str, until: float, headers: Mapping[str, str], content: Mapping[str, Any]) -> OutsideAnswer:
        left = max(0.1, until - time.monotonic())
        times = (min(self._connect_seconds, left), left)
        with self._session.post(
            url, headers=dict(headers), timeout=times, allow_redirects=False, stream=True, **content
        ) as response:
            body = b""
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > self._max_answer:
                    raise OutsideCallError("the answer is too long")
                if time.monotonic() > until:
                    raise OutsideCallError("no answer in time")
            return OutsideAnswer(response.status_code, body)
