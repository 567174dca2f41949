"""The conversation on the README's screenshot, and for anyone who works on the page.

`python -m tests.browser.scene docs/phone.png` writes the picture (1360 × 880, light); `--width`, `--height` and
`--dark` vary it. Needs Chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, BEN, NUMBER, Business, emulator_for
from tests.browser.steps import act
from tests.eventually import eventually

VOICE = Path(__file__).parents[1] / "voice" / "hib_03.ogg"


def play(business: Business) -> None:
    """A conversation between Ana and a hotel's desk."""
    business.control(f"numbers/{NUMBER}", {"verified_name": "Harbour Hotel"}, "PATCH")
    business.control("phones", {"wa_id": "447700900124", "name": "ليلى"})
    business.control("limits", {"pair": False})
    business.writes("مساء الخير، هل لديكم غرفة لليلتين؟", "447700900124")
    business.writes("Thanks, see you on Friday!", BEN)
    business.text("We look forward to it, Ben.", BEN)
    hello = business.writes("Hello! What time is *breakfast*?")
    business.read(hello)
    business.text("Breakfast is from *7 to 10:30*, on the ground floor.", context={"message_id": hello})
    photo = business.upload(png(480, 190), "image/png", "harbour.png")
    business.send(
        {"type": "image", "image": {"id": photo, "caption": "_The view_ from the terrace: https://example.org/terrace"}}
    )
    with VOICE.open("rb") as note:
        url = f"{business.graph}/_emulator/phones/{ANA}/files"
        sent = business.session.post(
            url, files={"file": ("note.ogg", note, "audio/ogg")}, data={"voice": "true"}, timeout=10
        )
    business.read(sent.json()["id"])
    rooms = business.send(
        {
            "type": "interactive",
            "interactive": {
                "type": "button",
                "body": {"text": "With pleasure. Which room would you like?"},
                "footer": {"text": "Breakfast is included"},
                "action": {
                    "buttons": [
                        {"type": "reply", "reply": {"id": "sea", "title": "Harbour view"}},
                        {"type": "reply", "reply": {"id": "garden", "title": "Garden view"}},
                    ]
                },
            },
        }
    )
    business.control(f"phones/{ANA}/press", {"message_id": rooms, "button": 0})
    business.control(f"phones/{ANA}/react", {"message_id": rooms, "emoji": "🎉"})


def shoot(page: Page, url: str, wa_id: str, file: Path) -> None:
    """Open the conversation, and write the picture once everything in it is drawn."""
    page.goto(f"{url}/#{wa_id}")
    page.locator(".message").last.wait_for()
    eventually(lambda: page.evaluate("[...document.images].every(image => image.complete)"))
    # The waveform is drawn once the audio is decoded.
    eventually(lambda: len(set(re.findall(r"v[0-9.]+", page.locator(".wave path").first.get_attribute("d") or ""))) > 3)
    act(page, "Breakfast is included", "Traffic of this message")
    page.locator(".exchange summary").first.click()
    page.get_by_role("region", name="Request body").wait_for()
    page.mouse.move(0, 0)
    page.screenshot(path=file)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--width", type=int, default=1360)
    parser.add_argument("--height", type=int, default=880)
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args(arguments)
    with Business() as business, emulator_for(business) as emulator, sync_playwright() as playwright:
        business.graph = emulator.url
        play(business)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_context(
            viewport={"width": asked.width, "height": asked.height}, color_scheme="dark" if asked.dark else "light"
        )
        shoot(view.new_page(), emulator.url, ANA, asked.file)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
