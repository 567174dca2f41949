"""A web process streams a file of 100 MB in chunks."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from tests.e2e.stack import Stack
from tests.eventually import eventually

MB = 1_000_000
# WhatsApp accepts documents of up to 100 MB.
SIZE = 100 * MB - 1000
MOST_GROWTH = 15 * MB


def memory(pid: int, what: str) -> int:
    """The resident memory of a process in bytes, now (`VmRSS`) or at its peak (`VmHWM`)."""
    found = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def upload(stack: Stack, content: bytes) -> str:
    files = {"file": ("a.pdf", io.BytesIO(content), "application/pdf")}
    answer = stack.api("POST", "/v1/media", files=files, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def download(stack: Stack, media_id: str) -> str:
    """Download a file and return its SHA-256."""
    digest = sha256()
    answer = stack.api("GET", f"/v1/media/{media_id}", stream=True, timeout=60)
    for piece in answer.iter_content(65_536):
        digest.update(piece)
    return digest.hexdigest()


def started_processes(stack: Stack) -> list[int]:
    """The new web processes, once all have loaded the application: the first is ready while another still starts."""
    stack.kill("web")
    stack.start("web")

    def found() -> list[int] | None:
        sizes = {pid: memory(pid, "VmRSS") for pid in stack.children("web")}
        return list(sizes) if len(sizes) == 2 and max(sizes.values()) - min(sizes.values()) < 5 * MB else None

    return eventually(found, within=30) or []


def test_a_file_of_100_mb_comes_and_goes_in_flat_memory(stack: Stack) -> None:
    processes = started_processes(stack)
    with ThreadPoolExecutor(8) as pool:  # so many that each process loads what its first file needs
        list(pool.map(lambda _: download(stack, upload(stack, b"%PDF-1.4 small")), range(32)))
    content = b"%PDF-1.4" + bytes(range(256)) * (SIZE // 256)
    before = {pid: memory(pid, "VmRSS") for pid in processes}
    for pid in processes:
        forget_peak(pid)

    came = download(stack, upload(stack, content))

    assert came == sha256(content).hexdigest()
    assert stack.children("web") == processes
    assert max(memory(pid, "VmHWM") - before[pid] for pid in processes) < MOST_GROWTH
