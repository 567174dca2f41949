"""The load generator: a process that sends prepared requests over persistent connections and records the responses.

    python -m benchmarks.load '{"port": 8000, "kind": "text", "tag": "A", "count": 1000, "connections": 64}'

Closed (no `rate`): each connection sends its next request after the last response, for at most `seconds`.
Open (`rate`): requests are sent on schedule, and latency counts from when the request was due, so that a stalled
server cannot hide it (no coordinated omission). Prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.pool import Group

from benchmarks import payloads
from benchmarks.measure import quantile


class Connection:
    """One persistent connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> int:
        """Send a request, read the whole response, and return its status code."""
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            more = self._socket.recv(65536)
            if not more:
                return 0
            answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        length = _content_length(head)
        while len(body) < length:
            body += self._socket.recv(65536)
        return int(head[9:12])


class Load:
    """Runs requests, closed or open, and records codes, latencies and due times."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._port = port
        self._requests = requests
        self.codes: Counter[int] = Counter()
        self.seconds_each: list[float] = []
        self.due_at: list[float] = []
        self.took = 0.0

    def closed(self, connections: int, seconds: float) -> None:
        """Send the next request of each connection as soon as the last is answered."""
        waiting = deque(self._requests)
        started = time.monotonic()
        ends = started + seconds

        def ask() -> None:
            connection = Connection(self._port)
            while waiting and (now := time.monotonic()) < ends:
                self.codes[connection.exchange(waiting.popleft())] += 1
                self.seconds_each.append(time.monotonic() - now)

        gevent.joinall([gevent.spawn(ask) for _ in range(connections)], raise_error=True)
        self.took = time.monotonic() - started

    def open(self, rate: float, connections: int) -> None:
        """Send `rate` requests per second, independent of the responses."""
        idle = [Connection(self._port) for _ in range(connections)]
        group = Group()
        started = time.monotonic() + 0.05
        self.due_at = [started + i / rate for i in range(len(self._requests))]
        self.seconds_each = [0.0] * len(self._requests)
        for i, due in enumerate(self.due_at):
            wait = due - time.monotonic()
            if wait > 0:
                gevent.sleep(wait)
            group.spawn(self._one, i, due, idle)
        group.join()
        self.took = time.monotonic() - started

    def _one(self, i: int, due: float, idle: list[Connection]) -> None:
        connection = idle.pop() if idle else Connection(self._port)
        self.codes[connection.exchange(self._requests[i])] += 1
        self.seconds_each[i] = time.monotonic() - due
        idle.append(connection)


def prepare(spec: dict[str, Any]) -> list[bytes]:
    """Return the requests of a spec."""
    tag = str(spec.get("tag", "A"))
    if spec["kind"] == "text":
        return payloads.texts(spec["count"], spec.get("customers", 1000), tag, spec.get("body", "when is breakfast?"))
    if spec["kind"] == "voice":
        notes = [
            payloads.voice_message(payloads.SPEAKER, payloads.wamid(tag, i), "800001") for i in range(spec["count"])
        ]
        return [payloads.request(payloads.delivery([note])) for note in notes]
    if spec["kind"] == "send":
        sends = [payloads.send(payloads.customer(i)) for i in range(spec["count"])]
        return [payloads.request(each, spec["path"]) for each in sends]
    records = json.loads(Path(spec["records"]).read_text())
    words = spec.get("words", ["sent", "delivered", "read"])
    statuses = [payloads.status(wamid, to, word, ours) for word in words for ours, wamid, to in records]
    first = spec.get("first", 0)
    statuses = statuses[first : first + spec["count"]]
    size = spec.get("batch", 1)
    return [payloads.request(payloads.delivery(statuses=statuses[i : i + size])) for i in range(0, len(statuses), size)]


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def main() -> None:
    """Run one load."""
    spec = json.loads(sys.argv[1])
    requests = prepare(spec)
    load = Load(spec["port"], requests)
    gc.collect()
    gc.disable()  # our own pause would look like the server's
    if "rate" in spec:
        load.open(spec["rate"], spec.get("connections", 32))
    else:
        load.closed(spec.get("connections", 64), spec.get("seconds", 5.0))
    times = load.seconds_each or [0.0]
    answer = {
        "answered": sum(load.codes.values()),
        "codes": {str(code): count for code, count in load.codes.items()},
        "seconds": load.took,
        "median_ms": quantile(times, 0.5) * 1000,
        "p99_ms": quantile(times, 0.99) * 1000,
        "over_a_second": sum(each > 1 for each in times) / len(times),
        "due_at": load.due_at if spec.get("with_times") else [],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
