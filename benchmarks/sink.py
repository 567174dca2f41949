"""A callback for the emulator's webhooks: answers 200 and counts statuses.

python -m benchmarks.sink '{"port": 8002}'
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from benchmarks.lean_http import Answer, serve


def main() -> None:
    """Serve until stopped; `GET /_bench` returns the counts, `POST /_bench` resets them."""
    words: Counter[str] = Counter()

    def answer(method: str, path: str, body: bytes) -> Answer:
        if path.startswith("/_bench"):
            if method == "POST":
                words.clear()
            return json.dumps(words).encode(), "application/json"
        if method == "GET":
            return parse_qs(urlsplit(path).query).get("hub.challenge", [""])[0].encode(), "text/plain"
        for word in ("sent", "delivered", "failed"):
            words[word] += body.count(f'"status":"{word}"'.encode())
        return b"", "text/plain"

    serve(json.loads(sys.argv[1])["port"], answer)


if __name__ == "__main__":
    main()
