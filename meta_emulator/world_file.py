"""The world on disk: phones, messages, templates, numbers, groups and media survive a restart."""

from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from meta_emulator.records import BusinessNumber, Group, Media, Message, Phone, Template
from meta_emulator.world import World

VERSION = 1


class WorldFileError(ValueError):
    """The file cannot be read as a world."""


def save_world(world: World, path: Path) -> None:
    """Write the world to a new file and put it in place of the old one."""
    content = {
        "version": VERSION,
        "clock_ahead": world.clock.ahead,
        "last_event": world.hub.last_id,
        "attempt_count": world.attempt_count,
        "callback_url": world.callback_url,
        "subscribed": world.subscribed,
        "numbers": [asdict(number) for number in world.numbers.values()],
        "phones": [asdict(phone) for phone in world.phones.values()],
        "groups": [asdict(group) for group in world.groups.values()],
        "messages": [asdict(message) for message in world.messages.values()],
        "templates": [asdict(template) for template in world.templates.values()],
        "media": [asdict(media) for media in world.media_store.all()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(orjson.dumps(content, default=_plain))
    unfinished.replace(path)


def load_world(world: World, path: Path) -> None:
    """Restore a saved world into an empty one; raise WorldFileError if the file is damaged or of another version."""
    try:
        content = orjson.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise WorldFileError(f"{path} has version {content['version']}, not {VERSION}")
        _restore(world, content)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise WorldFileError(f"{path} is not a saved world: {type(error).__name__}: {error}") from None


def _restore(world: World, content: dict[str, Any]) -> None:
    world.clock.advance(content["clock_ahead"])
    world.attempt_count = content["attempt_count"]
    if content["callback_url"] and not world.callback_url:
        world.callback_url, world.subscribed = content["callback_url"], content["subscribed"]
    for item in content["numbers"]:
        recipients = item["test_recipients"]
        sets = {
            "test_recipients": None if recipients is None else frozenset(recipients),
            "blocked": set(item["blocked"]),
        }
        world.numbers[item["id"]] = BusinessNumber(**{**item, **sets})
    for item in content["phones"]:
        world.restore_phone(Phone(**{**item, "owned_by_other": set(item["owned_by_other"])}))
    world.groups.update({item["id"]: Group(**item) for item in content["groups"]})
    for item in content["messages"]:
        world.messages[item["id"]] = Message(**{**item, "priced": set(item["priced"])})
    for item in content["templates"]:
        world.add_template(Template(**item))
    for item in content["media"]:
        world.media_store.restore(Media(**{**item, "content": base64.b64decode(item["content"])}))
    world.hub.continue_after(content["last_event"])


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be saved")
