"""Receivers of pushed events: `/slow` answers after five seconds; others answer immediately and record event ages.

python -m benchmarks.subscribers '{"port": 8003}'
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

import gevent

from benchmarks.lean_http import Answer, serve

SLOW_SECONDS = 5.0


def main() -> None:
    """Serve until stopped; `GET /_bench` returns the ages in seconds, `POST /_bench` resets them."""
    ages: list[float] = []

    def answer(method: str, path: str, body: bytes) -> Answer:
        if path.startswith("/_bench"):
            if method == "POST":
                ages.clear()
            return json.dumps(ages).encode(), "application/json"
        if path == "/slow":
            gevent.sleep(SLOW_SECONDS)
        else:
            ages.append(time.time() - datetime.fromisoformat(json.loads(body)["time"]).timestamp())
        return b"", "text/plain"

    serve(json.loads(sys.argv[1])["port"], answer)


if __name__ == "__main__":
    main()
