from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import redis
import requests

from meta_emulator.free_port import free_port
from tests.e2e.starter import ROOT, WITHOUT_MODELS
from tests.eventually import eventually


def scrape(port: int, key: str = "") -> requests.Response | None:
    try:
        return requests.get(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=5)
    except requests.ConnectionError:
        return None


def test_a_worker_on_a_machine_of_its_own_tells_its_series(
    tmp_path: Path, valkey_url: str, redis_client: redis.Redis
) -> None:
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "WA_ENV_FILE": "/dev/null",
        "WA_VAR_DIR": str(tmp_path),
        "WA_WORKER_METRICS_PORT": str(port),
        "WA_METRICS_KEY": "hush-hush-hush-hush-hush",
        "REDIS_URL": valkey_url,
        "WHATSAPP_ACCESS_TOKEN": "token",
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_VERIFY_TOKEN": "shake",
        "WHATSAPP_APP_SECRET": "pepper",
        "WHATSAPP_API_BASE_URL": "http://127.0.0.1:1",
        **WITHOUT_MODELS,
    }
    command = [sys.executable, "-m", "wa_service", "worker"]
    worker = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    try:
        answer = eventually(lambda: scrape(port, "hush-hush-hush-hush-hush"), within=20)
        assert 'whatsapp_messages_sent_total{type="text"} 0.0' in answer.text
        assert 'whatsapp_queue_depth{queue="inbound"} 0.0' in answer.text
        refused = scrape(port, "hash")
        assert refused is not None
        assert refused.status_code == 401
    finally:
        worker.terminate()
        worker.wait(40)
