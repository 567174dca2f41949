"""The phone page's files: complete, from one origin, with a strict Content-Security-Policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import meta_emulator
from tests.unit.emulator.emulated import Emulator

PAGE = Path(meta_emulator.__file__).parent / "page"
FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
MODULES = [path for path in FILES if path.suffix == ".js"]


def named(path: Path) -> str:
    return path.relative_to(PAGE).as_posix()


def test_the_page_is_at_the_root(fresh: Emulator) -> None:
    answer = fresh.client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_file_is_served_with_a_type(fresh: Emulator, path: Path) -> None:
    answer = fresh.client.get(f"/_page/{named(path)}")
    expected = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
    assert (answer.data, answer.mimetype) == (path.read_bytes(), expected[path.suffix])


@pytest.mark.parametrize("name", ["none.js", "../page_routes.py", "..%2fpage_routes.py", "js"])
def test_nothing_else_is_served(fresh: Emulator, name: str) -> None:
    assert fresh.client.get(f"/_page/{name}").status_code == 404


def test_a_file_that_the_browser_has_is_not_sent_again(fresh: Emulator) -> None:
    etag = fresh.client.get("/_page/js/main.js").headers["ETag"]
    assert fresh.client.get("/_page/js/main.js", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "rule",
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ],
)
def test_the_policy_lets_nothing_in_from_outside(fresh: Emulator, rule: str) -> None:
    rules = fresh.client.get("/").headers["Content-Security-Policy"].split("; ")
    assert rule in rules
    assert not any("unsafe" in each or "http" in each for each in rules)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_module_makes_markup_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_file_names_an_asset_of_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # Examples that a phone may send, and the SVG namespace.
    allowed = r"https?://(?:example\.org|www\.w3\.org/2000/svg)|https://\$\{"
    assert not re.search(r"https?://(?!\W)", re.sub(allowed, "", text))


def test_the_page_asks_for_every_module_at_once() -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    asked = set(re.findall(r'(?:href|src)="/_page/([^"]+\.js)"', index))
    assert asked == {named(path) for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_past_300_lines_has_become_two(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
