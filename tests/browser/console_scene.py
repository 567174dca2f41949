"""Screenshots of the console for the documentation.

`python -m tests.browser.console_scene docs` writes them (1100 pixels wide, light; `--dark`). Needs Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.console_site import ANA, BEN, DAN, EVE, KEYS, ConsoleSite, console_site, play
from tests.browser.stand_in import Business, emulator_for
from wa_service.store.embedded_valkey import EmbeddedValkey


def shoot(page: Page, site: ConsoleSite, folder: Path) -> None:
    """Sign in and take the screenshots."""
    page.goto(f"{site.url}/console")
    page.get_by_label("API key").fill(KEYS["boss"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state("load")
    page.reload()  # by now the information from Meta is there
    page.wait_for_load_state("load")
    page.screenshot(path=folder / "console-now.png")
    for name, customer in (("paused", ANA), ("window", BEN), ("letter", DAN), ("stop", "Cleo"), ("unknown", EVE)):
        page.goto(f"{site.url}/console/search")
        page.get_by_role("searchbox").fill(customer)
        page.get_by_role("button", name="Search").click()
        page.get_by_role("region", name="Messages").wait_for()
        page.wait_for_load_state("load")
        page.set_viewport_size({"width": 1100, "height": 640 if name == "paused" else 420})
        page.screenshot(path=folder / f"console-{name}.png")
    page.goto(f"{site.url}/console/search")
    page.get_by_role("searchbox").fill("Ana")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile("^Story")).first.click()
    page.wait_for_load_state("load")
    page.set_viewport_size({"width": 1100, "height": 720})
    page.screenshot(path=folder / "console-story.png")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedValkey(Path(folder), sync="everysec") as valkey,
        Business() as business,
        emulator_for(business) as emulator,
        console_site(valkey.url, emulator.url) as site,
        sync_playwright() as playwright,
    ):
        play(site)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_context(
            viewport={"width": 1100, "height": 800},
            color_scheme="dark" if asked.dark else "light",
            reduced_motion="reduce",
            timezone_id="Europe/London",
            locale="en-GB",
        )
        shoot(view.new_page(), site, asked.folder)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
