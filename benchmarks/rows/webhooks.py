"""Webhooks accepted per second on one core, compared with Flask's "ok" and pywa's receiver."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks import machine, rivals
from benchmarks.measure import Goal, Line, ratio
from benchmarks.plan import Plan
from benchmarks.processes import answers
from benchmarks.service import Load, Service, Workshop
from meta_emulator.free_port import free_port

WHAT = "webhooks accepted a second, one core, everything on"
CONNECTIONS = 64
CUSTOMERS = 2_000


def run(plan: Plan) -> list[Line]:
    """Measure Flask's "ok", ours and pywa in turn, with the same requests, connections, gunicorn worker and core."""
    seconds = plan.seconds(4)
    rates: dict[str, list[float]] = {"flask": [], "ours": [], "pywa": []}
    with Workshop() as workshop:
        service = Service(workshop)
        service.valkey(on=machine.LOAD)
        service.web(on=machine.SERVER)
        ports = {
            "flask": _receiver(workshop, sys.executable, "flask_ok"),
            "ours": service.port,
            "pywa": _receiver(workshop, rivals.python(), "pywa_receiver"),
        }
        for turn in range(-1, plan.rounds):
            for name in _in_turn(list(ports), turn):
                seen = Load(
                    workshop,
                    ports[name],
                    kind="text",
                    tag=f"R{turn + 1}{name[0]}",
                    count=int(9_000 * (seconds if turn >= 0 else 1.0)),
                    customers=CUSTOMERS,
                    connections=CONNECTIONS,
                    seconds=seconds if turn >= 0 else 1.0,
                ).result()
                if turn >= 0:
                    rates[name].append(seen["answered"] / seen["seconds"])
    absolute = {name: median(each) for name, each in rates.items()}
    return [
        ratio("webhooks_flask", WHAT, "Flask returning “ok”", rates["ours"], rates["flask"], Goal("≥", 0.70), absolute),
        ratio("webhooks_pywa", WHAT, "pywa's Flask receiver", rates["ours"], rates["pywa"], Goal("≥", 1.0), absolute),
    ]


def _receiver(workshop: Workshop, python: str, module: str) -> int:
    port = free_port()
    config = "benchmarks/others/like_ours.py"
    command = (python, "-m", "gunicorn", "-c", config, "-b", f"127.0.0.1:{port}", f"benchmarks.others.{module}:app")
    part = workshop.start(module, *command, on=machine.SERVER)
    part.until(answers(port), module)
    return port


def _in_turn(names: list[str], turn: int) -> list[str]:
    """Return the names in rotation, so that each round starts with another."""
    first = turn % len(names)
    return names[first:] + names[:first]
