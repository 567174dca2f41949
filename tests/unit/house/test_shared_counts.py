from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from wa_service.observability.multiprocess import SharedCounts, fold

ROOT = Path(__file__).parents[3]
COUNT = "metrics.message_accepted('text'); metrics.reply_took(0.2); metrics.api_called('messages', 0.1, 190)"


def a_process_counts_and_ends(directory: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    subprocess.run(
        [sys.executable, "-c", f"from wa_service.observability import metrics; {COUNT}"], env=env, cwd=ROOT, check=True
    )


def scrape(directory: Path) -> list[str]:
    registry = CollectorRegistry()
    registry.register(SharedCounts(directory))
    return sorted(line for line in generate_latest(registry).decode().splitlines() if not line.endswith(" 0.0"))


def files(directory: Path) -> set[str]:
    return {file.name for file in directory.glob("*.db")}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for _ in range(3):
        a_process_counts_and_ends(tmp_path)
    return tmp_path


def test_folding_changes_no_count(directory: Path) -> None:
    before = scrape(directory)
    assert 'whatsapp_messages_sent_total{type="text"} 3.0' in before
    assert 'whatsapp_reply_seconds_bucket{le="0.2"} 3.0' in before
    assert fold(directory, lambda _: False) == 6
    assert scrape(directory) == before
    assert files(directory) == {"counter_0.db", "histogram_0.db"}


def test_what_is_folded_grows_with_each_process_that_ends(directory: Path) -> None:
    fold(directory, lambda _: False)
    a_process_counts_and_ends(directory)
    fold(directory, lambda _: False)
    assert 'whatsapp_messages_sent_total{type="text"} 4.0' in scrape(directory)
    assert "whatsapp_reply_seconds_count 4.0" in scrape(directory)
    assert files(directory) == {"counter_0.db", "histogram_0.db"}


def test_the_files_of_a_living_process_stay(directory: Path) -> None:
    before = files(directory)
    assert fold(directory, lambda _: True) == 0
    assert files(directory) == before


def test_this_process_counts_as_living_and_an_ended_one_does_not(directory: Path) -> None:
    (directory / "counter_1.db").symlink_to(next(directory.glob("counter_*.db")))
    fold(directory)
    assert "counter_1.db" in files(directory)
    assert len(files(directory)) == 3


def test_gauges_of_the_dead_go(tmp_path: Path) -> None:
    (tmp_path / "gauge_all_123456.db").touch()
    assert fold(tmp_path, lambda _: False) == 1
    assert files(tmp_path) == set()
