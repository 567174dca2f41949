"""Steps have named arguments, and every key belongs to a family that defines how it is erased."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from wa_service.store import keys
from wa_service.store.erasure import Eraser
from wa_service.store.keys import FAMILIES, QUEUES, Keys, families, retention_table
from wa_service.store.scripts import Step, load_scripts

SCRIPTS = load_scripts()
NAMES = {family.name.partition(":")[0] for family in FAMILIES}


def keys_in(source: str) -> set[str]:
    """Return the families of the keys that a step builds from the prefix."""
    return {name.rstrip(":") for name in re.findall(r"prefix \.\. '([a-z_]+:?)'", source)}


# Families with the lifetime of work that a restore keeps: they list pushes, which are delivered at least once, and
# items that are being canceled.
WORK_THAT_STAYS = {
    "batch_items:<id>",
    "batches_canceled",
    "former_numbers",
    "push_due:<id>",
    "push_head:<id>:<c>",
    "push_lane:<id>:<c>",
}


def test_the_queues_are_all_families_of_work_that_waits() -> None:
    lives_with_work = {
        family.name
        for family in FAMILIES
        if re.search(r"while (there is work|they do)|until (handled|sent|then|they left|pushed)", family.lives)
    }
    assert set(QUEUES) <= {family.name for family in FAMILIES}
    assert lives_with_work - set(QUEUES) == WORK_THAT_STAYS


@cache
def calls() -> list[tuple[str, set[str]]]:
    """Return each call of a step in the store's code: the step's name and the names of the arguments."""
    sources = [path.read_text("utf-8") for path in Path("wa_service/store").glob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    return [
        (str(node.args[0].value), {keyword.arg or "" for keyword in node.keywords})
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"step", "call", "call_replicated"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]


class TestArguments:
    """Steps have named arguments."""

    SCRIPT = Step("", "", ("conversation", "lease_ms"), "addresses")

    def test_they_are_put_in_the_steps_order(self) -> None:
        given: dict[str, Any] = {"addresses": ("a", "b"), "lease_ms": 5, "conversation": "c"}
        assert self.SCRIPT.values(given) == ["c", 5, "a", "b"]

    @pytest.mark.parametrize("missing", ["conversation", "addresses"])
    def test_a_missing_one_is_named(self, missing: str) -> None:
        given: dict[str, Any] = {"conversation": "c", "lease_ms": 5, "addresses": ()}
        del given[missing]
        with pytest.raises(TypeError, match=missing):
            self.SCRIPT.values(given)

    def test_one_that_is_not_the_steps_is_named(self) -> None:
        with pytest.raises(TypeError, match="no argument lease"):
            self.SCRIPT.values({"conversation": "c", "lease_ms": 5, "addresses": (), "lease": 1})

    @pytest.mark.parametrize("step", SCRIPTS)
    def test_every_step_is_called_with_what_its_header_names(self, step: str) -> None:
        script = SCRIPTS[step]
        named = {*script.arguments, *([script.tail] if script.tail else [])}
        called = [arguments for name, arguments in calls() if name == step]
        assert called
        assert all(arguments == named for arguments in called)


class TestForms:
    """The suffix of an argument's name defines its type."""

    @staticmethod
    def source(tmp_path: Path, header: str) -> str:
        (tmp_path / "step.lua").write_text(f"{header}\nreturn 1\n")
        return load_scripts(tmp_path)["step"].source

    def test_a_number_a_flag_and_json(self, tmp_path: Path) -> None:
        source = self.source(tmp_path, "-- args: a b:number c:flag d:json")
        assert "local a = ARGV[1]" in source
        assert "local b = tonumber(ARGV[2])" in source
        assert "local c = (ARGV[3] == '1')" in source
        assert "local d = cjson.decode(ARGV[4])" in source

    def test_the_last_one_may_be_of_any_length(self, tmp_path: Path) -> None:
        source = self.source(tmp_path, "-- args: a rest:json...")
        assert "for i = 2, #ARGV do rest[#rest + 1] = cjson.decode(ARGV[i]) end" in source

    def test_the_prefix_comes_first(self, tmp_path: Path) -> None:
        assert self.source(tmp_path, "-- Nothing.").startswith("local prefix = KEYS[1]")


class TestFragments:
    """A step contains only the functions that it uses of the fragments that it includes."""

    SHARED = """
-- one() -> 1, unlike three().
local ONE = 1
local function one() return ONE end
local function two(of)
  for _ = 1, 2 do one() end
end
local function three() return 3 end
"""

    def names(self, tmp_path: Path, step: str) -> list[str]:
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "some.lua").write_text(self.SHARED)
        (tmp_path / "step.lua").write_text(f"-- include: some\n{step}\n")
        source = load_scripts(tmp_path)["step"].source
        assert "local ONE = 1" in source
        return re.findall(r"^local function (\w+)", source, re.MULTILINE)

    def test_functions_that_it_does_not_use_are_left_out(self, tmp_path: Path) -> None:
        assert self.names(tmp_path, "-- Not three().\nreturn one()") == ["one"]

    def test_what_a_used_function_calls_is_kept(self, tmp_path: Path) -> None:
        assert self.names(tmp_path, "return two()") == ["one", "two"]

    def test_each_fragment_that_a_step_includes_is_used(self, tmp_path: Path) -> None:
        steps = Path("wa_service/store/steps")
        copytree(steps / "shared", tmp_path / "shared")
        names = {}  # of what each left-out fragment defines
        for path in steps.glob("*.lua"):
            text = path.read_text("utf-8")
            included = re.findall(r"^-- include: (.+)$", text, re.MULTILINE)
            for fragment in included[0].split() if included else []:
                without = " ".join(name for name in included[0].split() if name != fragment)
                step = tmp_path / f"{path.stem} without {fragment}.lua"
                step.write_text(text.replace(f"-- include: {included[0]}", f"-- include: {without}"))
                code = (steps / "shared" / f"{fragment}.lua").read_text("utf-8")
                names[step.stem] = set(re.findall(r"^local (?:function )?(\w+)", code, re.MULTILINE))
        scripts = load_scripts(tmp_path)
        words = {name: set(re.findall(r"\w+", re.sub("--.*", "", scripts[name].source))) for name in names}
        assert [name for name, defined in names.items() if defined and not defined & words[name]] == []

    def test_each_function_is_used_by_some_step(self) -> None:
        fragments = "".join(path.read_text("utf-8") for path in Path("wa_service/store/steps/shared").glob("*.lua"))
        sources = [script.source for script in SCRIPTS.values()]
        names = re.findall(r"^local function (\w+)", fragments, re.MULTILINE)
        assert len(names) > 100
        assert [name for name in names if not any(f"local function {name}(" in source for source in sources)] == []


class TestFamilies:
    """Every key belongs to a family, and erasure covers the families."""

    def test_every_key_of_the_steps_belongs_to_one(self) -> None:
        written = set().union(*(keys_in(script.source) for script in SCRIPTS.values())) - {"none"}
        assert written - NAMES == set()

    def test_every_key_of_the_code_belongs_to_one(self) -> None:
        names = Keys()
        plain = {value for name, value in vars(names).items() if name != "prefix"}
        built = [names.record("1"), names.contact("1"), names.alias("1", "2"), names.wamid(b"1"), names.out("1", 0)]
        built += [names.idempotency("1", "2"), names.dead_letter("1"), names.wake_out("1"), names.lane("1")]
        built += [names.mailbox("1"), names.results("1"), names.meta_limits("1"), names.pause("1"), names.pace("1")]
        built += [names.rate("1"), names.quota("1")]
        assert {names.part_of(key.encode())[0] for key in {*plain, *built}} <= NAMES

    def test_each_that_holds_what_tells_of_a_person_is_walked_by_erasure(self) -> None:
        walked = [family for _, of_step in Eraser.STEPS for family in of_step]
        assert sorted(walked) == sorted(families("holds"))

    def test_no_step_writes_the_prefix_out(self) -> None:
        assert [name for name, script in SCRIPTS.items() if "'wa:" in script.source] == []

    def test_the_table_of_retention_has_them_all(self) -> None:
        table = retention_table()
        assert all(f"| `{family.name}` |" in table for family in FAMILIES)


def test_a_mark_does_not_tell_the_number() -> None:
    assert b"1555" not in keys.mark("106540352242922", "wamid.HBgLMTU1NTEyMzAwMDE=")
    assert len(keys.mark("1", "2")) == 12
