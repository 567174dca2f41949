"""Times a client's sends: many greenlets, one process, CPU seconds; the same for every library."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable

from gevent.pool import Pool

WARM_UP = 300
GREENLETS = 5
"""A few: with many, httpx's pool (pywa, whatsloon) loses half its speed, which would hide everything else."""


def timed(send: Callable[[str], object], count: int) -> None:
    """Send `count` texts to as many customers and print {"sends", "cpu", "wall"}."""
    pool = Pool(int(sys.argv[3]) if sys.argv[3:] else GREENLETS)
    for i in range(WARM_UP):
        pool.spawn(send, f"4915{i:09d}")
    pool.join(raise_error=True)
    gc.collect()
    cpu, wall = time.process_time(), time.monotonic()
    greenlets = [pool.spawn(send, f"4916{i:09d}") for i in range(count)]
    pool.join(raise_error=True)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    for greenlet in greenlets:
        greenlet.get()
    json.dump({"sends": count, "cpu": cpu, "wall": wall}, sys.stdout)


def arguments() -> tuple[str, int]:
    """Return the URL of Meta's stand-in and the number of sends; a third argument sets the concurrency."""
    return sys.argv[1], int(sys.argv[2])
