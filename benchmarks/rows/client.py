"""Sends per CPU second of the client, compared with pywa, whatsloon and heyoo; each in its own gevent process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import certifi

from benchmarks import machine, rivals
from benchmarks.measure import Goal, Line, Skipped, ratio
from benchmarks.plan import Plan
from benchmarks.service import MetaStandIn, Service, Workshop

WHAT = "sends per CPU second through `WhatsAppMetaClient`, breaker and metrics on"
OVER_TLS = f"{WHAT}, over TLS"


def run(plan: Plan) -> list[Line]:
    """Measure all of them without TLS, then heyoo with TLS, because it does not reuse connections."""
    with Workshop() as workshop:
        meta = MetaStandIn(workshop)
        rates = _rates(plan, workshop, meta, ("ours", "pywa", "whatsloon", "heyoo"), plan.many(3_000))
        absolute = {name: median(each) for name, each in rates.items()}
        lines: list[Line] = [
            ratio(f"client_{name}", WHAT, name, rates["ours"], rates[name], Goal("≥", goal), absolute)
            for name, goal in (("pywa", 1.25), ("whatsloon", 1.25), ("heyoo", 2.0))
        ]
        return [*lines, _over_tls(plan, workshop)]


def _over_tls(plan: Plan, workshop: Workshop) -> Line:
    certificate, key = workshop.directory / "meta.pem", workshop.directory / "meta.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return Skipped("client_tls", OVER_TLS, "openssl is not installed")
    trusted = workshop.directory / "trusted.pem"
    trusted.write_bytes(Path(certifi.where()).read_bytes() + certificate.read_bytes())  # as long as in production
    meta = MetaStandIn(workshop, certificate=str(certificate), key=str(key))
    rates = _rates(plan, workshop, meta, ("ours", "heyoo"), plan.many(400), str(trusted))
    absolute = {name: median(each) for name, each in rates.items()}
    return ratio("client_tls", OVER_TLS, "heyoo", rates["ours"], rates["heyoo"], Goal("≥", 5.0), absolute)


def _rates(
    plan: Plan, workshop: Workshop, meta: MetaStandIn, names: Sequence[str], count: int, ca: str = ""
) -> dict[str, list[float]]:
    service = Service(
        workshop, meta.url, REDIS_URL="redis://127.0.0.1:9/0", **({"REQUESTS_CA_BUNDLE": ca} if ca else {})
    )
    rates: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(plan.rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            ours = name == "ours"
            module = "benchmarks.send_ours" if ours else f"benchmarks.others.send_{name}"
            env = service.env if ours else {"REQUESTS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca} if ca else {}
            part = workshop.start(
                f"{name}-{turn}-{meta.port}",
                sys.executable if ours else rivals.python(),
                *("-m", module, meta.url, str(count)),
                on=machine.SERVER,
                env=env,
            )
            done = json.loads(part.result())
            rates[name].append(done["sends"] / done["cpu"])
    return rates
