"""The child with its limits and its decoder, but no model: thousands of files would take the model hours."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from wa_service.speech import child_process
from wa_service.speech.decoding import RATE, TooLongError, UndecodableError, decode


class Decoder(child_process.Transcribe):
    """Says how many seconds of sound there are."""

    def learn(self, header: dict[str, Any]) -> None:
        self.answer({"form": "wav", "max_seconds": 5}, child_process.a_second_of_nothing())

    def answer(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        try:
            return {"seconds": len(decode(payload, header["form"], header["max_seconds"])) / RATE}
        except TooLongError:
            return {"error": "too_long"}
        except UndecodableError:
            return {"error": "unreadable"}


if __name__ == "__main__":
    child_process.TASKS["decode"] = Decoder
    child_process.main(sys.argv[1])
