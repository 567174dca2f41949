"""The names of the default tag's keys, for tests that read or change the store directly."""

from __future__ import annotations

from wa_service.store.keys import Keys

NAMES = Keys()
PREFIX = NAMES.prefix
