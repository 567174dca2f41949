"""JSON of hostile shapes, and a limit on the time that reading it may take.

The limit is on the CPU time of the thread that reads it: that thread blocks the event loop, and CPU time does not
depend on the load of the machine.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LOOP_SECONDS = 0.25
LARGEST_ANSWER = 64 * 1024
OFTEN = settings(suppress_health_check=list(HealthCheck))
OFTEN_AT_LENGTH = settings(OFTEN, max_examples=15) if settings.get_current_profile_name() == "suite" else OFTEN
"""For a test whose examples make many calls each: only the long form has the usual number of examples."""
TINY: list[Any] = [1, None, {}, [], "", {"rows": []}, {"type": "x"}, {"name": {}}, {"a": 1}, [[]], {"type": "button"}]
_DEEPEST = 1_000
"""Levels of nesting that orjson reads; it writes 254."""


def measured(call: Callable[[], Any]) -> Any:
    """Return the result of a call, which must not block the loop for longer than `LOOP_SECONDS`.

    As in a web process (`wsgi.py`), objects from before the call are exempt from garbage collection. Use the fixture
    `frozen_heap` with it.
    """
    gc.collect()
    gc.freeze()
    started = time.thread_time()
    answer = call()
    assert time.thread_time() - started < LOOP_SECONDS
    return answer


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value within a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Return a copy of the value with `by` at the path."""
    if not path:
        return by
    changed = deepcopy(value)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = by
    return changed


def nested(levels: int) -> Any:
    """Return nested lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def filled(make: Callable[[int], Any], size: int) -> Any:
    """Return the largest value that `make` builds within `size` bytes."""
    each = len(orjson.dumps(make(100))) / 100
    return make(int(size / each))


def hostile_values(size: int, *pieces: str) -> st.SearchStrategy[Any]:
    """Generate JSON values of at most about `size` bytes; strings repeat a hostile piece or one of `pieces`."""
    return st.one_of(
        st.sampled_from(TINY).map(lambda each: filled(lambda count: [each] * count, size)),
        st.sampled_from(TINY).map(lambda each: filled(lambda count: {f"k{i}": each for i in range(count)}, size)),
        st.sampled_from([*"a1+( \n\\\u0301é٣🙂{", *pieces]).map(
            lambda piece: filled(lambda count: piece * count, size)
        ),
        st.sampled_from([("1-", ""), ("wamid.", ""), ("a.", "1"), ("{{", "}}")]).map(
            lambda pair: filled(lambda count: pair[0] * count + pair[1], size)
        ),
        st.integers(1, 240).map(nested),
        st.sampled_from([10**400, -(10**18), 1e308, 0.1, True]).filter(lambda number: abs(number) < 2**63),
    )


def hostile_json(samples: list[Any], size: int, *pieces: str) -> st.SearchStrategy[bytes]:
    """Generate JSON texts: a sample with one value replaced by a hostile one, which may be nested very deeply."""

    def with_deep(sample: Any, path: tuple[Any, ...], levels: int) -> bytes:
        deep = b"[" * levels + b"]" * levels
        return orjson.dumps(replaced(sample, path, "@deep@")).replace(b'"@deep@"', deep)

    def of(sample: Any) -> st.SearchStrategy[bytes]:
        place = st.sampled_from(places(sample))
        values = st.tuples(place, hostile_values(size, *pieces))
        deep = st.tuples(place, st.integers(240, _DEEPEST))
        return st.one_of(
            values.map(lambda chosen: orjson.dumps(replaced(sample, *chosen))),
            deep.map(lambda chosen: with_deep(sample, *chosen)),
        )

    return st.sampled_from(samples).flatmap(of)
