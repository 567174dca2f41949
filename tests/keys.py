"""The names of the default tag's keys, for tests that look into the store or change it by hand."""

from __future__ import annotations

from wa_service.store.keys import Keys

NAMES = Keys()
PREFIX = NAMES.prefix
