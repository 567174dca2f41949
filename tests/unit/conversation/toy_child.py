"""A child with a simple mind, for the tests of those who look after children: `python toy_child.py PLAN`."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from wa_service.speech import child_process


class Toy:
    """Does what it is told."""

    def learn(self, header: dict[str, Any]) -> None:
        if "refuse" in header:
            raise RuntimeError(header["refuse"])
        if header.get("slow"):
            time.sleep(60)
        self.known = header.get("known", "")

    def answer(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        match header["do"]:
            case "echo":
                return {"size": len(payload), "known": self.known, "pid": os.getpid()}
            case "hang":
                time.sleep(60)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die once":
                mark = Path(header["mark"])
                if not mark.exists():
                    # Files can no longer be opened here; a name is enough.
                    mark.mkdir()
                    os.kill(os.getpid(), signal.SIGKILL)
                return {"done": True}
            case "fail":
                raise ValueError("a secret")
            case "print":
                print("not an answer")
                return {"done": True}
            case "eat":
                return {"size": len(bytearray(1024**3))}
            case "open":
                return {"text": Path(header["path"]).read_text()}
            case "environment":
                return dict(os.environ)
            case "niceness":
                return {"niceness": os.nice(0)}
        return {}


if __name__ == "__main__":
    child_process.TASKS["toy"] = Toy
    child_process.main(sys.argv[1])
