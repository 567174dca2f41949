"""pytest fixtures: ``meta``, a fresh emulated Meta for each test, and ``wa_service``, the service connected to it.

One emulator process per session (and per xdist worker); one service for each combination of options.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from meta_emulator.async_client import AsyncEmulatedMeta
from meta_emulator.client import EmulatedMeta
from meta_emulator.config import EmulatorConfig
from meta_emulator.running import RunningEmulator
from meta_emulator.running_service import RunningService

# How long the service must be quiet between two tests if it does not become idle.
_QUIET_SECONDS = 0.1


@pytest.fixture(scope="session")
def meta_config() -> EmulatorConfig:
    """The emulator's configuration; override it for other numbers, a seed file or a time factor."""
    return EmulatorConfig(
        access_token=f"EAA{secrets.token_urlsafe(24)}",
        app_secret=secrets.token_hex(16),
        verify_token=secrets.token_urlsafe(12),
        phone_number_ids=("106540352242922",),
        port=0,
    )


@pytest.fixture(scope="session")
def meta_process(meta_config: EmulatorConfig) -> Iterator[RunningEmulator]:
    """The emulator's process."""
    with RunningEmulator(meta_config) as running:
        yield running


@pytest.fixture
def meta(meta_process: RunningEmulator, meta_config: EmulatorConfig) -> EmulatedMeta:
    """A fresh emulated Meta: ``meta.url``, ``meta.phone(…)``, ``meta.faults``, ``meta.clock``, ``meta.webhooks(…)``."""
    client = _client(meta_process, meta_config)
    client.reset(callback_url="")
    return client


@pytest.fixture
def async_meta(meta: EmulatedMeta) -> AsyncEmulatedMeta:
    """``meta`` for asyncio."""
    return AsyncEmulatedMeta(meta)


@pytest.fixture(scope="session")
def wa_service_options() -> dict[str, Any]:
    """Arguments of ``RunningService`` (``script``, ``responder``, ``settings``); override it."""
    return {}


@pytest.fixture(scope="session")
def wa_service_processes(meta_process: RunningEmulator) -> Iterator[dict[str, RunningService]]:  # noqa: ARG001
    """The running services by their options; stopped before the emulator."""
    services: dict[str, RunningService] = {}
    yield services
    for service in services.values():
        service.stop()


@pytest.fixture
def wa_service(
    meta: EmulatedMeta,
    meta_process: RunningEmulator,
    meta_config: EmulatorConfig,
    wa_service_options: dict[str, Any],
    wa_service_processes: dict[str, RunningService],
) -> Iterator[RunningService]:
    """The service, connected to ``meta``; started once per combination of options."""
    key = repr(sorted(wa_service_options.items()))
    service = wa_service_processes.get(key)
    if service is None:
        service = RunningService(_client(meta_process, meta_config), **wa_service_options)
        wa_service_processes[key] = service.__enter__()
    else:
        service.forget_everything()
        service.subscribe()
    yield service
    # Late answers must not reach the next test's phones.
    meta.settle()
    meta.settle(quiet=0 if service.wait_until_idle() else _QUIET_SECONDS)


def _client(running: RunningEmulator, config: EmulatorConfig) -> EmulatedMeta:
    return EmulatedMeta(
        running.url,
        access_token=config.access_token,
        app_secret=config.app_secret,
        verify_token=config.verify_token,
        phone_number_ids=config.phone_number_ids,
        business_account_id=config.business_account_id,
    )
