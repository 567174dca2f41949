"""The emulator at 300 sends per second: delivered statuses, latency and memory."""

from __future__ import annotations

import json
import sys
import urllib.request

from benchmarks import machine, payloads
from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from benchmarks.processes import answers
from benchmarks.service import Load, Service, Sink, Workshop
from meta_emulator.free_port import free_port

RATE = 300


def run(plan: Plan) -> list[Line]:
    """Measure one emulator process; its webhooks go to a sink that counts statuses."""
    shares, memories, slow = [], [], []
    with Workshop() as workshop:
        sink = Sink(workshop)
        port = free_port()
        service = Service(workshop)
        callback = f"http://127.0.0.1:{sink.port}{payloads.PATH}"
        command = (sys.executable, "-m", "wa_service", "emulator", "--port", str(port), "--callback", callback)
        emulator = workshop.start("emulator", *command, on=machine.SERVER, env=service.env)
        emulator.until(answers(port), "the emulator")
        _lift_limits(port)
        for turn in range(plan.rounds):
            sink.forget()
            count = plan.many(3_000)
            path = f"/v24.0/{payloads.NUMBER}/messages"
            load = Load(workshop, port, kind="send", path=path, tag=f"E{turn}", count=count, rate=RATE)
            slow.append(load.result()["p99_ms"])
            shares.append(sink.delivered(count, 10) / count * 100)
            memories.append(emulator.memory_mb())
    what = "the emulator at 300 sends/s"
    return [
        plain("emulator_delivered", f"{what}: delivered statuses", shares, "%", Goal("≥", 100)),
        plain("emulator_memory", f"{what}: memory", memories, "MB", Goal("≤", 150)),
        plain("emulator_p99", f"{what}: 99th percentile of its answers", slow, "ms", Goal("≤", 1_000)),
    ]


def _lift_limits(port: int) -> None:
    """Disable the throughput limit and the service window."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/_emulator/limits",
        data=json.dumps({"throughput": False, "window": False}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(asked, timeout=10).close()
