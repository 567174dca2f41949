"""A conversation worth a picture: for the README's screenshot, and for the eyes of who builds the page.

`python -m tests.browser.scene docs/phone.png` writes the picture (1280 × 800, light); `--width`, `--height` and
`--dark` vary it. Needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, BEN, Business, emulator_for

VOICE = Path(__file__).parents[1] / "voice" / "hib_03.ogg"


def play(business: Business) -> None:
    """Ana and the desk of a hotel, on one evening."""
    business.control("phones", {"wa_id": BEN, "name": "Ben"})
    business.control("phones", {"wa_id": "447700900124", "name": "ليلى"})
    business.control("limits", {"pair": False})
    business.writes("مساء الخير، هل لديكم غرفة لليلتين؟", "447700900124")
    business.writes("Thanks, see you on Friday!", BEN)
    business.text("We look forward to it, Ben.", BEN)
    hello = business.writes("Hello! What time is *breakfast*?")
    business.read(hello)
    business.text("Breakfast is from *7 to 10:30* on the ground floor, and included.", context={"message_id": hello})
    photo = business.upload(png(), "image/png", "harbour.png")
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
    """Open the conversation and write the picture when everything in it is drawn."""
    page.goto(f"{url}/#{wa_id}")
    page.locator(".message").last.wait_for()
    page.wait_for_function("[...document.images].every(image => image.complete)")
    # The waveform is drawn once the sound is decoded.
    page.wait_for_function(
        "new Set((document.querySelector('.wave path')?.getAttribute('d') ?? '').match(/v[0-9.]+/g)).size > 3"
    )
    page.screenshot(path=file)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
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
