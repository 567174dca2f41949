"""Seeds: initial phones, numbers, templates, limits, behaviour and faults, from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import AfterValidator, TypeAdapter

from meta_emulator.accounts import AccountProperties, account_config
from meta_emulator.behaviour import Behaviour
from meta_emulator.config import EmulatorConfig
from meta_emulator.default_seed import DEFAULT_SEED
from meta_emulator.faults import FaultProperties
from meta_emulator.limits import LimitSettings
from meta_emulator.property_check import Between, ObjectId, PhoneNumber, Properties, UserId, WrongPropertyError, check
from meta_emulator.records import BusinessNumber, Phone, Template
from meta_emulator.template_review import TemplateStatus
from meta_emulator.world import World


class PhoneProperties(Properties):
    """The properties of a phone.

    identity_hash: which a send may require with ``recipient_identity_key_hash``; a new one if it is empty.
    """

    name: str = ""
    user_id: UserId = ""
    parent_user_id: UserId = ""
    username: str = ""
    number_hidden: bool = False
    on_whatsapp: bool = True
    auto_deliver: bool = True
    auto_read: bool = False
    read_receipts: bool = True
    marketing: bool = True
    identity_hash: str = ""


class NewPhone(PhoneProperties):
    """A phone to add or change."""

    wa_id: PhoneNumber


class NumberProperties(Properties):
    """The properties of a business number.

    identity_check: ``contacts`` in webhooks name ``identity_key_hash``.
    """

    verified_name: str = ""
    messages_per_second: Annotated[int, Between(1, 100_000)] = 80
    quality_rating: str = "GREEN"
    status: str = "CONNECTED"
    registered: bool = True
    test_recipients: list[PhoneNumber] | None = None
    identity_check: bool = False


class NewNumber(NumberProperties):
    """A business number to add or change."""

    id: ObjectId


def _with_lists(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the components; raise ValueError if their buttons, or their cards, are no lists of objects."""
    for component in components:
        for name in ("buttons", "cards"):
            _check_objects(component.get(name, []), name)
        for card in component.get("cards", ()):
            _with_lists(_check_objects(card.get("components", []), "components"))
    return components


def _check_objects(items: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{name} must be a list of objects")
    return items


class TemplateProperties(Properties):
    """A template to add or change."""

    name: str
    language: str
    category: str
    components: Annotated[list[dict[str, Any]], AfterValidator(_with_lists)]
    id: ObjectId = ""
    status: TemplateStatus = "APPROVED"
    parameter_format: Literal["POSITIONAL", "NAMED"] = "POSITIONAL"
    rejected_reason: str = "NONE"
    quality: str = "UNKNOWN"
    previous_category: str = ""
    ttl_seconds: Annotated[int, Between()] | None = None


class Seed(Properties):
    """The contents of a seed."""

    phones: list[NewPhone] | None = None
    numbers: list[NewNumber] | None = None
    templates: list[TemplateProperties] | None = None
    accounts: list[AccountProperties] | None = None
    limits: LimitSettings | None = None
    behaviour: Behaviour | None = None
    faults: list[FaultProperties] | None = None


_SEED = TypeAdapter(Seed)


def read_seed(path: Path) -> dict[str, Any]:
    """Read a seed file; raise WrongPropertyError if it is invalid, OSError if it cannot be read."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Any]:
    """Parse a seed from YAML or JSON; an empty one adds nothing."""
    if not text:
        return {}
    found = _parse_json(text)
    if found is None:
        found = _parse_yaml(text)
    if not isinstance(found, dict):
        raise WrongPropertyError("the seed must be a mapping")
    return found


def _parse_json(text: str) -> Any:
    """Return parsed JSON, None for other text. The YAML parser would not join escaped surrogate pairs."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _parse_yaml(text: str) -> Any:
    try:
        found = yaml.safe_load(text)
        orjson.dumps(found)
    except (yaml.YAMLError, TypeError) as error:
        raise WrongPropertyError(f"the seed is not YAML: {error}") from None
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


def apply(world: World, wanted: dict[str, Any]) -> dict[str, int]:
    """Add or change everything in the seed; return how many of each part.

    Raises WrongPropertyError before anything is changed, or StateError if a part conflicts with existing ones.
    """
    seed = check(_SEED, wanted)
    world.limits.update(seed.limits.given() if seed.limits else {})
    world.behaviour = world.behaviour.with_changes(seed.behaviour.given() if seed.behaviour else {})
    for phone in seed.phones or ():
        add_phone(world, phone)
    for number in seed.numbers or ():
        change_business_number(world, number.id, number)
    for template in seed.templates or ():
        _add_template(world, template)
    for account in seed.accounts or ():
        add_account(world, account)
    for fault in seed.faults or ():
        world.faults.add(fault)
    return {part: _size(getattr(seed, part)) for part in Seed.model_fields}


def _size(part: list[Any] | Properties | None) -> int:
    return len(part.given() if isinstance(part, Properties) else part or ())


def add_account(world: World, wanted: AccountProperties) -> World:
    """Add a business account; return its world."""
    world.accounts[wanted.id] = other = new_world(account_config(world, wanted))
    return other


def add_phone(world: World, wanted: NewPhone) -> Phone:
    """Add or change a phone; raise StateError if another phone has the user id."""
    known = world.find_phone(wanted.wa_id)
    if known is not None:
        return change_phone(world, known, wanted)
    _check_ids(world, wanted, None)
    return world.add_phone(wanted.wa_id, **_without(wanted, "wa_id"))


def change_phone(world: World, phone: Phone, wanted: PhoneProperties) -> Phone:
    """Change a phone; raise StateError if another phone has the user id."""
    _check_ids(world, wanted, phone)
    if wanted.user_id:
        world.rename_phone(phone, phone.wa_id, wanted.user_id)
    return world.add_phone(phone.wa_id, **_without(wanted, "wa_id", "user_id"))


def _check_ids(world: World, wanted: PhoneProperties, phone: Phone | None) -> None:
    for user_id in (wanted.user_id, wanted.parent_user_id):
        world.check_address(user_id, phone)


def change_business_number(world: World, number_id: str, wanted: NumberProperties) -> BusinessNumber:
    """Add or change a business number."""
    number = world.numbers.get(number_id) or world.add_number(number_id)
    if wanted.test_recipients is not None:
        number.test_recipients = frozenset(world.phone_for(line).wa_id for line in wanted.test_recipients)
    for name, value in _without(wanted, "id", "test_recipients").items():
        setattr(number, name, value)
    return number


def _without(wanted: Properties, *names: str) -> dict[str, Any]:
    return {name: value for name, value in wanted.given().items() if name not in names}


def _add_template(world: World, wanted: TemplateProperties) -> None:
    known = world.find_template(wanted.name, wanted.language)
    template_id = wanted.id or (known.id if known else world.ids.object_id())
    world.add_template(Template(created=world.clock.now(), **{**wanted.model_dump(), "id": template_id}))
