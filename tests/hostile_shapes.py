"""JSON of hostile shapes, and the bound on what it may cost.

The cost is the processor's time of the thread that reads it: while it runs, the event loop does not turn, and a busy
machine beside it does not count.
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
"""For a test each of whose examples makes many calls: only the long form draws as many as others do."""
TINY: list[Any] = [1, None, {}, [], "", {"rows": []}, {"type": "x"}, {"name": {}}, {"a": 1}, [[]], {"type": "button"}]
_DEEPEST = 1_000
"""Levels that orjson reads; it writes 254."""


def measured(call: Callable[[], Any]) -> Any:
    """The answer to a call, which held the loop within its bound. Use the fixture `frozen_heap` with it.

    As in a web process (`wsgi.py`), a collection does not look through what was there before the call.
    """
    gc.collect()
    gc.freeze()
    started = time.thread_time()
    answer = call()
    assert time.thread_time() - started < LOOP_SECONDS
    return answer


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """The value with another one at a place."""
    if not path:
        return by
    changed = deepcopy(value)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = by
    return changed


def nested(levels: int) -> Any:
    """Lists in lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def filled(make: Callable[[int], Any], size: int) -> Any:
    """The largest value of a shape that fits into so many bytes."""
    each = len(orjson.dumps(make(100))) / 100
    return make(int(size / each))


def hostile_values(size: int, *pieces: str) -> st.SearchStrategy[Any]:
    """JSON values of at most about `size` bytes; `pieces`: what texts are made of, beside what is hostile anywhere."""
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
    """JSON texts: a sample with something hostile in one place, which may be nested deeper than anybody writes."""

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
