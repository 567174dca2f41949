"""The guide and the other pages against the code: what they name exists, and what the code has they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from wa_service.cli.commands import _parser
from wa_service.config import settings
from wa_service.conversation.script import KINDS, ConversationProblem
from wa_service.observability import exposition
from wa_service.observability.log_events import LOG_EVENTS
from wa_service.web import problems
from wa_service.whatsapp.codes import ROWS, SUBCODE_ROWS, CodeRow
from wa_service.whatsapp.errors import CODES, SUBCODES, CodeInfo

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "PROJECT_GUIDE.md"
PAGES = sorted([GUIDE, ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
# Meta's own names stand there.
OURS = [page for page in PAGES if page.name != "meta-cloud-api.md"]
SOURCES = [path for path in (ROOT / "wa_service").rglob("*.py") if "emulator" not in path.parts]
SETUP = "## 📱 WhatsApp Business API Setup"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """A page without its blocks of code: what stands in them is no heading and no link."""
    return re.sub(r"^ *```.*?^ *```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def section(heading: str, page: Path = GUIDE) -> str:
    level = heading.split(" ", 1)[0]
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{len(level)}}} |\Z)", prose_of(page), re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[1]


def rows(table: str) -> Iterator[list[str]]:
    """The cells of each line of the tables in a text, without headings."""
    for line in table.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\- ]+", line):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def first_names(table: str) -> list[str]:
    """The names in backticks that the lines of a table begin with."""
    return [found[1] for cells in rows(table) if (found := re.match(r"`([^`]+)`", cells[0]))]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named(page: Path) -> str:
    return page.name


def test_the_setup_has_its_heading_and_at_least_150_lines() -> None:
    written = text_of(GUIDE).split(f"\n{SETUP}\n", 1)[1].split("\n## ", 1)[0]
    assert len(written.splitlines()) >= 150


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
    """`room/file.py` may stand for `wa_service/room/file.py`."""
    paths = re.findall(r"`((?:[\w.@-]+/)+(?:[\w@-]+\.\w+)?)(?:::[\w:]+)?`", prose_of(page))
    ours = [path for path in paths if not path.startswith(("var/", "debug_", "oauth/", "webhooks/"))]
    assert [path for path in ours if not (ROOT / path).exists() and not (ROOT / "wa_service" / path).exists()] == []


def test_every_test_that_is_named_exists() -> None:
    missing = []
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(GUIDE)):
        if not re.search(rf"^\s*(?:def|class) {name}\b", text_of(ROOT / path), re.MULTILINE):
            missing.append(f"{path}::{name}")
    assert missing == []


def test_the_table_of_settings_is_the_code_s() -> None:
    told = {cells[0].split("`")[1]: cells for cells in rows(section("### The .env variables")) if "`" in cells[0]}
    assert list(told) == [variable.name for variable in settings.variables()]
    for variable in settings.variables():
        name, default, meaning = told[variable.name]
        assert ("🔒" in name) == variable.secret, variable.name
        assert meaning == variable.sentence
        shown = "**required**" if variable.default is None else variable.default
        assert default.strip("`").replace("&lt;", "<").replace("&gt;", ">") == shown, variable.name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {v.name for v in settings.variables()} | {f"{v.name}_FILE" for v in settings.variables() if v.secret}
    found = set(re.findall(r"\b(?:WA|WHATSAPP)_[A-Z_]+[A-Z]\b", text_of(page)))
    assert found - known - {"WA_ENV_FILE"} == set()


def test_the_table_of_metrics_is_the_code_s() -> None:
    body = exposition.render(exposition.scrape_registry(dict))[0].decode()
    ours = set(re.findall(r"^# TYPE (whatsapp_\w+) ", body, re.MULTILINE))
    assert set(first_names(section("### Monitoring"))) == ours


@pytest.mark.parametrize("page", OURS, ids=named)
def test_every_metric_that_is_named_exists(page: Path) -> None:
    body = exposition.render(exposition.scrape_registry(dict))[0].decode()
    ours = set(re.findall(r"^# TYPE (whatsapp_\w+) ", body, re.MULTILINE))
    found = set(re.findall(r"\bwhatsapp_(?!business_)[a-z_]+[a-z]\b", text_of(page)))
    assert found - ours == set()


def log_names() -> set[str]:
    """Every name of a log line that the code writes."""
    code = "\n".join(text_of(path) for path in SOURCES if path.name != "log_events.py")
    return set(re.findall(r"[\"'](whatsapp\.[a-z_]+(?:\.[a-z_]+)?)[\"']", code))


def test_every_log_event_is_registered_and_every_registered_one_written() -> None:
    assert {event.name for event in LOG_EVENTS} == log_names()


def test_the_table_of_log_lines_is_the_code_s() -> None:
    told = [line for line in section("### Logging").splitlines() if line.startswith("| `whatsapp.")]
    assert told == [f"| `{event.name}` | {event.fact} | {event.fields} |" for event in LOG_EVENTS]


@pytest.mark.parametrize("page", [GUIDE, ROOT / "README.md", ROOT / "docs/lanes.md"], ids=named)
def test_every_log_line_that_is_named_exists(page: Path) -> None:
    found = set(re.findall(r"`(whatsapp\.[a-z_]+(?:\.[a-z_]+)?)`", text_of(page)))
    # The design's names that were not taken stand in the list of deviations.
    assert found - log_names() == set()


def line_of(row: CodeRow, info: CodeInfo) -> tuple[str, str, str, str]:
    wait = f"{row.wait / 3600:g} h" if row.wait >= 3600 else f"{row.wait / 60:g} min"
    again = "no" if not row.retryable else f"after {wait if row.wait >= 60 else f'{row.wait:g} s'}"
    return f"`{info.error.__name__}`", row.group, again, row.advice


def codes_in(table: str) -> dict[int, tuple[str, ...]]:
    told: dict[int, tuple[str, ...]] = {}
    for cells in rows(table):
        if len(cells) == 5 and re.match(r"\d", cells[0]):
            first, *last = (int(number) for number in re.findall(r"\d+", cells[0]))
            told.update(dict.fromkeys(range(first, (last or [first])[0] + 1), tuple(cells[1:])))
    return told


def test_the_page_of_error_codes_is_the_code_s() -> None:
    told = codes_in(text_of(ROOT / "docs/error-codes.md"))
    ours = {row.code: line_of(row, {**CODES, **SUBCODES}[row.code]) for row in (*ROWS, *SUBCODE_ROWS)}
    assert {code: line for code, line in ours.items() if told.get(code) != line} == {}
    assert told.keys() - ours.keys() == set()


def test_the_guide_s_error_codes_are_the_code_s() -> None:
    told = codes_in(section("### Error handling"))
    assert {code: line for code, line in told.items() if line != line_of_code(code)} == {}
    sending = {"recipient", "media", "template", "account", "transient", "few", "pair"}
    beyond = {row.code for row in ROWS if row.group in sending and row.code < 132_000} - told.keys()
    assert beyond == set()


def line_of_code(code: int) -> tuple[str, str, str, str]:
    return line_of(next(row for row in ROWS if row.code == code), CODES[code])


def test_every_problem_of_the_rest_api_is_named_under_its_status() -> None:
    told = {cells[0]: cells[1] for cells in rows(section("### Error handling")) if re.fullmatch(r"\d{3}", cells[0])}
    assert [kind.name for kind in problems.all_kinds() if f"`{kind.name}`" not in told.get(str(kind.status), "")] == []


def test_every_command_that_is_named_exists() -> None:
    commands = next(action.choices for action in _parser()._subparsers._group_actions)  # type: ignore[union-attr]
    pages = "\n".join(text_of(page) for page in PAGES)
    assert set(re.findall(r"-m wa_service ([a-z-]+)", pages)) - set(commands or ()) == set()
    assert [name for name in commands or () if f"`{name}`" not in text_of(GUIDE)] == []


def test_every_target_of_make_is_named_and_every_one_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", text_of(ROOT / "Makefile"), re.MULTILINE))
    in_the_guide = set(re.findall(r"`make ([a-z-]+)", text_of(GUIDE)))
    assert in_the_guide == targets
    assert set(re.findall(r"`?make ([a-z-]+)[`\s]*#", text_of(ROOT / "README.md"))) <= targets


@pytest.mark.parametrize("known", [KINDS, {str(problem) for problem in ConversationProblem}], ids=["kinds", "problems"])
def test_the_script_file_s_words_are_told(known: set[str]) -> None:
    assert [word for word in sorted(known) if f"`{word}`" not in section("### The script file")] == []


def test_the_readme_is_one_screen() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 70


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_registry(page: Path) -> None:
    assert not re.search(r"pypi\.|pythonhosted|docker\.io", text_of(page))
