"""Fixtures for all tests: a real store, and external programs."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import redis
import structlog
from hypothesis import settings

from wa_service.store.embedded_valkey import EmbeddedValkey

CHAOS = "chaos: has a long form, which `make chaos` runs"
CHAOS_ONLY = "chaos_only: takes minutes, so only `make chaos` runs it"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--chaos`, which `make chaos` sets."""
    what = "run only the tests that have a long form, in it: processes killed at length, 10,000 damaged recordings"
    parser.addoption("--chaos", action="store_true", help=what)


def pytest_configure(config: pytest.Config) -> None:
    for marker in (CHAOS, CHAOS_ONLY):
        config.addinivalue_line("markers", marker)
    settings.register_profile("suite", max_examples=60, deadline=None)
    settings.register_profile("long", max_examples=1_000, deadline=None)
    # The test modules derive their settings from the profile at import, so it must be loaded before them.
    settings.load_profile("long" if config.getoption("--chaos") else "suite")
    # The default log configuration: without rich, whose traceback with all locals takes half a second.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exclude the imported and collected objects from garbage collection, as `wsgi.py` does."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that take minutes; with `--chaos`, select only tests that have a long form."""
    long = config.getoption("--chaos")
    wanted: list[pytest.Item] = []
    unwanted: list[pytest.Item] = []
    for item in items:
        only = item.get_closest_marker("chaos_only") is not None
        keep = only or item.get_closest_marker("chaos") is not None if long else not only
        (wanted if keep else unwanted).append(item)
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = wanted


@pytest.fixture(scope="session")
def long_form(pytestconfig: pytest.Config) -> bool:
    """Return whether `make chaos` runs, with the full figures instead of the suite's short ones."""
    return bool(pytestconfig.getoption("--chaos"))


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of the session's server: TEST_REDIS_URL, or an embedded Valkey on a free port."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    # A test needs no durability after a power loss: syncing each write would only wear the disk.
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey"), sync="everysec") as server:
        yield server.url


@pytest.fixture
def redis_client(valkey_url: str) -> Iterator[redis.Redis]:
    """Return a client of an empty database that returns bytes."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="module")
def frozen_heap() -> Iterator[None]:
    """After the file's tests, collect the garbage among the objects that `measured` froze."""
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], Path]:
    """Find an external program by name; skip the test if it is missing, or fail it with CI=true."""

    def find(*names: str) -> Path:
        for name in names:
            if found := shutil.which(name):
                return Path(found)
        wanted = " or ".join(names)
        if os.environ.get("CI") == "true":
            pytest.fail(f"{wanted} is not installed here, and CI must not skip what needs it")
        pytest.skip(f"{wanted} is not installed here")

    return find
