"""Run the documentation's commands that are marked `run` against the service that `make run` starts.

A line `# → text` in such a block is text that the output must contain.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.e2e.starter import WITHOUT_MODELS, Started
from tests.eventually import eventually
from wa_service.cli.development import prepare

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "PROJECT_GUIDE.md", *sorted((ROOT / "docs").rglob("*.md"))]
ANA = "447700900123"


@dataclass(frozen=True)
class Block:
    """A marked block: its place, its language, and its text without indentation."""

    place: str
    language: str
    text: str

    @property
    def promised(self) -> list[str]:
        """The texts that the output must contain."""
        return re.findall(r"^# → (.+)$", self.text, re.MULTILINE)


def blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page)]


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\w+) run\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        line = text[: found.start()].count("\n") + 1
        yield Block(f"{page.name}-{line}", found[2], re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE))


@dataclass(frozen=True)
class Desk:
    """A running `make run` on free ports, and the environment for commands."""

    service: Started
    env: dict[str, str]

    def run(self, block: Block) -> str:
        text = block.text.replace(":8000", f":{self.service.port}").replace(":8090", f":{self.service.emulator_port}")
        text = text.replace(".venv/bin/python", sys.executable).replace("var/run/secrets", str(self.service.secrets))
        command = [sys.executable, "-c", text] if block.language == "python" else ["sh", "-euc", text]
        told = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The service. Ana has written, so her service window is open."""
    var = tmp_path_factory.mktemp("var")
    service = Started(var, **WITHOUT_MODELS)
    try:
        service.until_ready()
        service.write(ANA, "hello")
        eventually(lambda: service.answers(ANA) > 0, within=30)
        # Templates are fetched in the background. A send before that is not checked here but left to Meta.
        templates = f"http://127.0.0.1:{service.port}/v1/templates"
        requests.get(templates, headers=service.headers, timeout=30).raise_for_status()
        made = prepare(service.port, service.emulator_port, var)
        yield Desk(service, {**made.environment, "KEY": made.api_key, "PYTHONPATH": str(ROOT)})
    finally:
        service.stop()


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.place)
def test_a_marked_command_does_what_the_page_says(
    block: Block, desk: Desk, require_program: Callable[..., Path]
) -> None:
    for program in ("curl", "openssl"):
        if re.search(rf"\b{program} ", block.text):
            require_program(program)
    told = " ".join(desk.run(block).split())
    assert [promise for promise in block.promised if " ".join(promise.split()) not in told] == [], told


def test_commands_of_both_languages_are_marked() -> None:
    marked = [block.language for block in blocks()]
    assert marked.count("sh") >= 15
    assert marked.count("python") >= 3
