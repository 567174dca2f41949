"""A saved world is the same after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_emulator.config import EmulatorConfig
from meta_emulator.world import World
from meta_emulator.world_file import WorldFileError, load_world, save_world
from tests.unit.emulator.emulated import ANA, NUMBER, Emulator


def restored(path: Path) -> World:
    world = World(EmulatorConfig("t", "s", "v", (NUMBER,)))
    load_world(world, path)
    return world


def test_everything_comes_back(fresh: Emulator, tmp_path: Path) -> None:
    fresh.write()
    fresh.text()
    fresh.do("groups", {"subject": "Team", "participants": [ANA]})
    fresh.do("clock", {"advance": 60})
    fresh.do("numbers", {"id": NUMBER, "test_recipients": [ANA]})
    media_id = fresh.upload(b"OggS" + b"\0" * 24 + b"OpusHead" + b"\0" * 20, "audio/ogg").json["id"]
    world = fresh.world
    save_world(world, tmp_path / "world.json")
    again = restored(tmp_path / "world.json")
    assert again.phones == world.phones
    assert again.messages == world.messages
    assert again.groups == world.groups
    assert again.numbers[NUMBER] == world.numbers[NUMBER]
    assert {name: again.templates[name] for name in world.templates} == world.templates
    assert again.media_store.get(media_id) == world.media_store.get(media_id)
    assert again.clock.ahead == world.clock.ahead
    assert again.find_phone(ANA) == world.find_phone(ANA)
    assert again.hub.last_id == world.hub.last_id
    assert again.find_template("hello_world", "en_US") is not None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": 9}'])
def test_what_is_no_world_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "world.json").write_text(content, encoding="utf-8")
    with pytest.raises(WorldFileError, match=r"world\.json"):
        restored(tmp_path / "world.json")


def test_nothing_is_left_of_an_unfinished_file(fresh: Emulator, tmp_path: Path) -> None:
    save_world(fresh.world, tmp_path / "new" / "world.json")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["world.json"]
