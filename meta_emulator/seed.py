"""Seeds: initial phones, numbers, templates, limits, behaviour and faults, from YAML."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from meta_emulator import addresses
from meta_emulator.accounts import ACCOUNT_PROPERTIES, account_config
from meta_emulator.config import EmulatorConfig
from meta_emulator.default_seed import DEFAULT_SEED
from meta_emulator.records import BusinessNumber, Template
from meta_emulator.world import World

PHONE_PROPERTIES: dict[str, type] = {
    "name": str,
    "user_id": str,
    "parent_user_id": str,
    "username": str,
    "number_hidden": bool,
    "on_whatsapp": bool,
    "auto_deliver": bool,
    "auto_read": bool,
    "read_receipts": bool,
    "marketing": bool,
}
NUMBER_PROPERTIES: dict[str, type] = {
    "verified_name": str,
    "messages_per_second": int,
    "quality_rating": str,
    "status": str,
    "registered": bool,
    "test_recipients": list,
}
_TEMPLATE_FIELDS = {item.name for item in fields(Template)} - {"created", "edited_at"}
_PARTS = ("phones", "numbers", "templates", "accounts", "limits", "behaviour", "faults")


class SeedError(ValueError):
    """The seed has an unknown name or a wrong type."""


def read_seed(path: Path) -> dict[str, Any]:
    """Read a seed file; raise SeedError for a wrong form, OSError where it cannot be read."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Any]:
    """Parse a seed from YAML or JSON."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SeedError(f"the seed is not YAML: {error}") from None
    if not isinstance(found, dict):
        raise SeedError("the seed must be a mapping")
    return found


def new_world(config: EmulatorConfig) -> World:
    """Return a seeded world."""
    world = World(config)
    apply_initial_seeds(world)
    return world


def reset_world(world: World) -> None:
    """Reset the world and seed it again; only the webhook subscription stays."""
    world.reset()
    apply_initial_seeds(world)


def apply_initial_seeds(world: World) -> None:
    """Apply the default seed, then the configured file."""
    apply(world, DEFAULT_SEED)
    if world.config.seed_file is not None:
        apply(world, read_seed(world.config.seed_file))


def apply(world: World, seed: dict[str, Any]) -> dict[str, int]:
    """Add or change everything in the seed; return how many of each part."""
    for part in seed:
        if part not in _PARTS:
            raise SeedError(f"unknown part {part} (there are {', '.join(_PARTS)})")
    for item in _items(seed, "phones"):
        add_phone(world, item)
    for item in _items(seed, "numbers"):
        change_business_number(world, item)
    for item in _items(seed, "templates"):
        _template(world, item)
    for item in _items(seed, "accounts"):
        add_account(world, item)
    for item in _items(seed, "faults"):
        world.faults.add(item)
    world.limits.update(seed.get("limits") or {})
    world.behaviour = world.behaviour.with_changes(seed.get("behaviour") or {})
    return {part: len(seed.get(part) or ()) for part in _PARTS}


def add_account(world: World, item: dict[str, Any]) -> World:
    """Add a further business account; return its world."""
    wanted = dict(item)
    account_id = str(wanted.pop("id", ""))
    check(wanted, ACCOUNT_PROPERTIES, "an account")
    world.accounts[account_id] = other = new_world(account_config(world, account_id, wanted))
    return other


def add_phone(world: World, item: dict[str, Any]) -> str:
    """Add or change a phone; return its wa_id."""
    wanted = dict(item)
    number = addresses.digits(str(wanted.pop("wa_id", "")))
    if number is None:
        raise SeedError("a phone's wa_id is 5 to 20 digits")
    check(wanted, PHONE_PROPERTIES, "a phone")
    known = world.find_phone(number)
    return world.add_phone(known.wa_id if known else number, **wanted).wa_id


def change_business_number(world: World, item: dict[str, Any]) -> BusinessNumber:
    """Add or change a business number."""
    wanted = dict(item)
    number_id = str(wanted.pop("id", ""))
    if not number_id.isdigit():
        raise SeedError("a number's id is digits")
    check(wanted, NUMBER_PROPERTIES, "a business number")
    number = world.numbers.get(number_id) or world.add_number(number_id)
    recipients = wanted.pop("test_recipients", None)
    if recipients is not None:
        lines = [addresses.digits(str(item)) for item in recipients]
        if None in lines:
            raise SeedError("test_recipients are numbers")
        number.test_recipients = frozenset(world.phone_for(line).wa_id for line in lines if line)
    for name, value in wanted.items():
        setattr(number, name, value)
    return number


def check(wanted: dict[str, Any], known: dict[str, type], owner: str) -> None:
    """Raise SeedError for an unknown property or a wrong type."""
    for name, value in wanted.items():
        expected = known.get(name)
        if expected is None:
            raise SeedError(f"{name} is no property of {owner} (there are {', '.join(known)})")
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise SeedError(f"{name} must be {expected.__name__}")


def _template(world: World, item: dict[str, Any]) -> None:
    wanted = dict(item)
    for name in wanted:
        if name not in _TEMPLATE_FIELDS:
            raise SeedError(f"{name} is no property of a template")
    for name in ("name", "language", "category", "components"):
        if name not in wanted:
            raise SeedError(f"a template needs {name}")
    known = world.find_template(wanted["name"], wanted["language"])
    wanted.setdefault("id", known.id if known else world.ids.object_id())
    wanted.setdefault("status", "APPROVED")
    world.add_template(Template(created=world.clock.now(), **wanted))


def _items(seed: dict[str, Any], part: str) -> list[dict[str, Any]]:
    items = seed.get(part) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SeedError(f"{part} must be a list of mappings")
    return items
