"""The documentation agrees with the code: its tables are generated from the code, and what it names exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import write_docs
from wa_service.cli.commands import COMMANDS
from wa_service.config import settings
from wa_service.conversation.script import KINDS, ConversationProblem
from wa_service.observability.log_events import LOG_EVENTS
from wa_service.service.batch_request import MOST_BYTES
from wa_service.store.outbox import LANE_CEILING
from wa_service.store.subscriptions import MOST_SUBSCRIPTIONS
from wa_service.web.batch_routes import LARGEST_BATCH
from wa_service.web.bodies import LARGEST_MESSAGE
from wa_service.web.limits import GUESSED_KEYS_RATE
from wa_service.web.long_polls import MOST_OF_A_KEY, MOST_OF_A_PROCESS
from wa_service.web.server import BODY_SECONDS, SLOWEST_UPLOAD
from wa_service.web.stop_routes import LARGEST_IMPORT
from wa_service.whatsapp.media.types import LARGEST

ROOT = Path(__file__).parents[3]
PAGES = write_docs.pages()
# The excluded pages use Meta's names.
OURS = [page for page in PAGES if page.name not in ("meta-cloud-api.md", "fidelity.md")]
SOURCES = [*(ROOT / "wa_service").rglob("*.py"), ROOT / "gunicorn.conf.py"]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """Return a page without its code blocks, which have no headings or links."""
    return re.sub(r"^ *```.*?^ *```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_make_docs_changes_nothing() -> None:
    command = [sys.executable, "-m", "tools.write_docs", "--check"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, ""), f"run `make docs`: {told.stdout}{told.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", OURS, ids=named)
def test_every_file_that_is_named_exists(page: Path) -> None:
    """Paths may be relative to `wa_service`."""
    paths = re.findall(r"`((?:[\w.@-]+/)+(?:[\w@-]+\.\w+)?)(?:::[\w:]+)?`", prose_of(page))
    ours = [path for path in paths if not path.startswith(("var/", "debug_", "oauth/", "webhooks/"))]
    assert [path for path in ours if not (ROOT / path).exists() and not (ROOT / "wa_service" / path).exists()] == []


@pytest.mark.parametrize("page", OURS, ids=named)
def test_every_test_that_is_named_exists(page: Path) -> None:
    missing = []
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(page)):
        if not re.search(rf"^\s*(?:def|class) {name}\b", text_of(ROOT / path), re.MULTILINE):
            missing.append(f"{path}::{name}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {v.name for v in settings.variables()} | {f"{v.name}_FILE" for v in settings.variables() if v.secret}
    found = set(re.findall(r"\b(?:WA|WHATSAPP)_[A-Z_]+[A-Z]\b", text_of(page)))
    assert found - known - {"WA_ENV_FILE"} == set()


@pytest.mark.parametrize("page", OURS, ids=named)
def test_every_metric_that_is_named_exists(page: Path) -> None:
    found = set(re.findall(r"\bwhatsapp_(?!business_)[a-z_]+[a-z]\b", text_of(page)))
    assert found - set(re.findall(r"\bwhatsapp_[a-z_]+[a-z]\b", write_docs.TABLES["metrics"]())) == set()


def log_names() -> set[str]:
    """Return the names of all log events in the code."""
    code = "\n".join(text_of(path) for path in SOURCES if path.name != "log_events.py")
    return set(re.findall(r"[\"'](whatsapp\.[a-z_]+(?:\.[a-z_]+)*)[\"']", code))


def test_every_log_line_is_described() -> None:
    assert sorted(event.name for event in LOG_EVENTS) == sorted(log_names())


@pytest.mark.parametrize("page", OURS, ids=named)
def test_every_log_line_that_is_named_exists(page: Path) -> None:
    assert (
        set(re.findall(r"`(whatsapp\.[a-z_]+(?:\.[a-z_]+)*)`", text_of(page))) - {event.name for event in LOG_EVENTS}
        == set()
    )


def test_every_command_that_is_named_exists() -> None:
    pages = "\n".join(text_of(page) for page in PAGES)
    assert set(re.findall(r"-m wa_service ([a-z-]+)", pages)) - COMMANDS.keys() == set()
    assert [name for name in COMMANDS if f"`{name}`" not in text_of(ROOT / "PROJECT_GUIDE.md")] == []


def test_every_target_of_make_is_named_and_every_one_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", text_of(ROOT / "Makefile"), re.MULTILINE))
    pages = "\n".join(text_of(page) for page in PAGES)
    assert set(re.findall(r"`make ([a-z-]+)", pages)) == targets


@pytest.mark.parametrize("known", [KINDS, {str(problem) for problem in ConversationProblem}], ids=["kinds", "problems"])
def test_the_script_file_s_words_are_told(known: set[str]) -> None:
    assert [word for word in sorted(known) if f"`{word}`" not in text_of(ROOT / "docs/script.md")] == []


def test_the_limits_of_the_rest_api_are_those_of_the_code() -> None:
    told = text_of(ROOT / "docs/api.md").partition("## Limits")[2].partition("\n\n[")[0]
    kib, mib = 1024, 1024 * 1024
    for sentence in (
        f"{GUESSED_KEYS_RATE.removesuffix('/minute')} a minute",
        f"{MOST_OF_A_KEY} per key, {MOST_OF_A_PROCESS} per web process",
        f"{LARGEST_MESSAGE // kib} KiB; of a batch {LARGEST_BATCH // mib} MiB",
        f"of `POST /v1/stops` {LARGEST_IMPORT // mib} MiB, of an upload {LARGEST // mib} MB",
        f"{BODY_SECONDS:.0f} s, of an upload a second more for each {SLOWEST_UPLOAD // kib} KiB",
        f"| {LANE_CEILING:,} |",
        f"| {MOST_SUBSCRIPTIONS} |",
        f"| {MOST_BYTES // mib} MiB of single ones;",
    ):
        assert sentence in told


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_registry(page: Path) -> None:
    assert not re.search(r"pypi\.|pythonhosted|docker\.io", text_of(page))
