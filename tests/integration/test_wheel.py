"""The wheel, built without a network and installed into a separate environment, where all of it works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from meta_emulator.free_port import free_port
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands' directory in an environment with the wheel, and with its dependencies from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for package in ("wa_service", "meta_emulator"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = [*PIP, "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, cwd=folder)
    (wheel,) = folder.glob("wa_service-*.whl")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    python = str(folder / "env/bin/python")
    subprocess.run([*PIP, "--python", python, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    site = next((folder / "env/lib").glob("python*")) / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "env/bin"


@contextmanager
def started(command: list[str | Path], folder: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    given = {"PATH": os.environ["PATH"], "WA_ENV_FILE": "/dev/null", "WA_VAR_DIR": str(folder / "var")} | settings
    log = folder / f"{Path(command[0]).name}-{command[1]}.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=folder, env=given, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_the_emulator_starts_and_has_its_page(programs: Path, tmp_path: Path) -> None:
    with started([programs / "meta-emulator", "--port", "0", "--json"], tmp_path) as emulator:
        assert emulator.stdout is not None
        told = json.loads(emulator.stdout.readline())
        page = requests.get(told["url"], timeout=10)
        assert (page.status_code, "<script" in page.text) == (200, True)


@pytest.mark.usefixtures("redis_client")  # an empty database: the worker must find nothing that other files left
def test_the_service_starts_away_from_the_checkout(programs: Path, tmp_path: Path, valkey_url: str) -> None:
    port = free_port()
    settings = {
        "WHATSAPP_ACCESS_TOKEN": "a-token",
        "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
        "WHATSAPP_VERIFY_TOKEN": "verify",
        "WHATSAPP_APP_SECRET": "secret",
        "WHATSAPP_API_VERSION": "v25.0",
        "WA_API_KEYS": "tests:a-key-of-twenty-letters:admin",
        "WA_BIND": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "REDIS_URL": valkey_url,
    }
    with started([programs / "wa-service", "web"], tmp_path, **settings):
        address = f"http://127.0.0.1:{port}"

        def ready() -> bool:
            try:
                return requests.get(f"{address}/readyz", timeout=2).status_code == 200
            except requests.RequestException:
                return False

        eventually(ready, within=30, every=0.1)
        assert requests.get(f"{address}/docs", timeout=10).status_code == 200
        with started([programs / "wa-service", "worker"], tmp_path, **settings):
            eventually(
                lambda: "whatsapp.worker.started" in (tmp_path / "wa-service-worker.log").read_text("utf-8"), within=30
            )


BOT_TEST = """
def test_the_service_answers(meta, wa_service):
    ana = meta.phone("447700900123")
    ana.write("hello")
    assert ana.heard().text
"""


def test_a_bot_s_tests_have_the_service_by_the_plugin(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(BOT_TEST, encoding="utf-8")
    command: list[str | Path] = [programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bot.py"]
    run = subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
