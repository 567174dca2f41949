"""The processes on a machine share their metrics, and a process's counts survive it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARE = """
import os, sys
from pathlib import Path
from wa_service.observability import multiprocess
multiprocess.share(Path(sys.argv[1]))
from wa_service.observability import exposition, metrics

def count():
    metrics.message_accepted("text")
    metrics.reply_took(0.2)
    metrics.webhooks_answered({"stored": 2}, [0.003, 0.2])
"""
SCRAPE = "print(exposition.render(exposition.scrape_registry())[0].decode())"
FORK = """
count()
process = os.fork()
count()
if process == 0:
    os._exit(0)
os.waitpid(process, 0)
"""


def run(directory: Path, code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", SHARE + code, str(directory)], cwd=ROOT, text=True)


def files(directory: Path) -> set[str]:
    return {file.name for file in directory.glob("*.db")}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that has counted and is still running."""
    command = [sys.executable, "-c", SHARE + "count(); print(flush=True); sys.stdin.read()", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_what_a_process_counted_stays_when_it_ends_and_its_files_are_used_again(tmp_path: Path) -> None:
    for _ in range(3):
        run(tmp_path, "count()")
    told = run(tmp_path, SCRAPE).splitlines()
    assert 'whatsapp_messages_sent_total{type="text"} 3.0' in told
    assert 'whatsapp_reply_seconds_bucket{le="0.2"} 3.0' in told
    assert "whatsapp_reply_seconds_count 3.0" in told
    assert files(tmp_path) == {"counter_0.db", "histogram_0.db"}


def test_processes_that_run_side_by_side_count_in_files_of_their_own(
    tmp_path: Path, running: subprocess.Popen[str]
) -> None:
    told = run(tmp_path, "count();" + SCRAPE).splitlines()
    assert 'whatsapp_messages_sent_total{type="text"} 2.0' in told
    assert files(tmp_path) == {"counter_0.db", "histogram_0.db", "counter_1.db", "histogram_1.db"}


def test_the_slot_of_a_killed_process_is_free(tmp_path: Path, running: subprocess.Popen[str]) -> None:
    running.kill()
    running.wait(10)
    assert 'whatsapp_messages_sent_total{type="text"} 2.0' in run(tmp_path, "count();" + SCRAPE)
    assert files(tmp_path) == {"counter_0.db", "histogram_0.db"}


def test_a_forked_process_counts_in_a_slot_of_its_own(tmp_path: Path) -> None:
    told = run(tmp_path, FORK + SCRAPE)
    assert 'whatsapp_messages_sent_total{type="text"} 3.0' in told
    assert "counter_1.db" in files(tmp_path)


def test_a_batch_counts_as_its_observations_would(tmp_path: Path) -> None:
    told = run(tmp_path, "count();" + SCRAPE).splitlines()
    assert 'whatsapp_webhook_seconds_bucket{le="0.0025"} 0.0' in told
    assert 'whatsapp_webhook_seconds_bucket{le="0.005"} 1.0' in told
    assert 'whatsapp_webhook_seconds_bucket{le="+Inf"} 2.0' in told
    assert "whatsapp_webhook_seconds_sum 0.203" in told
