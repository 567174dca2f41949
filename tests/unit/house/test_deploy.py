"""`deploy/`: the alerts fire, systemd accepts the units, and nginx passes only the webhook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from meta_emulator.free_port import free_port
from tests.eventually import eventually
from wa_service.observability import exposition, metrics
from wa_service.store.embedded_valkey import valkey_binary
from wa_service.whatsapp.codes import ROWS

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
Programs = Callable[..., Path]


def read_yaml(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read_yaml("prometheus/alerts.yml")["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((DEPLOY / "grafana/wa-service.json").read_text(encoding="utf-8"))
    return board


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [*panels, *(alert["expr"] for alert in alerts())]


def promtool(require_program: Programs, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = require_program("promtool")
    return subprocess.run([program, *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", ["prometheus.yml", "compose.yml"])
def test_prometheus_takes_the_configuration(require_program: Programs, file: str) -> None:
    told = promtool(require_program, "check", "config", file)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_alerts_fire_when_they_should_and_only_then(require_program: Programs) -> None:
    assert promtool(require_program, "check", "rules", "alerts.yml").returncode == 0
    told = promtool(require_program, "test", "rules", "alerts_test.yml")
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_to_do_where_to_read_on_and_is_tested(alert: dict[str, Any]) -> None:
    assert alert["annotations"]["do"].endswith((".", "?"))
    assert re.search(
        f"^Alert `{alert['alert']}`.$", (ROOT / alert["annotations"]["runbook"]).read_text("utf-8"), re.MULTILINE
    )
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["alert"] in (DEPLOY / "prometheus/alerts_test.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("expression", expressions())
def test_alerts_and_dashboard_name_only_series_and_labels_that_exist(expression: str) -> None:
    metrics.api_called("messages", 0.1, 190)
    metrics.event_pushed("1", "taken")
    metrics.batch_changed("paused", "asked")
    metrics.price_reported("marketing", "regular")
    metrics.marketing_chosen("stop", "words")
    told = {name: {"1": 1.0} for name in metrics.STORE_GAUGES}
    body = exposition.render(exposition.scrape_registry(lambda: told))[0].decode()
    labels: dict[str, set[str]] = {}
    for name, given in re.findall(r"^(whatsapp_\w+)(?:\{(.*)\})? ", body, re.MULTILINE):
        labels.setdefault(name, set()).update(re.findall(r"(\w+)=", given))
    named = set(re.findall(r"\bwhatsapp_\w+", expression))
    assert named - set(labels) == set()
    known = set().union(*(labels[name] for name in named)) | {"job", "instance", "role", "le"}
    used = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", expression))
    used |= {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
    assert used <= known


def test_a_series_whose_first_increase_raises_an_alert_starts_at_0() -> None:
    show = "from wa_service.observability import exposition as e; print(e.render(e.scrape_registry())[0].decode())"
    shown = subprocess.check_output([sys.executable, "-c", show], cwd=ROOT, text=True)
    [refused] = [alert["expr"] for alert in alerts() if alert["alert"] == "WhatsAppAccountRefused"]
    codes = re.findall(r"(?<=[|\"])\w+(?=[|\"])", refused)
    assert {str(row.code) for row in ROWS if row.group == "account" and not 200 <= row.code < 300} <= set(codes)
    assert "WhatsAppAuthError" in codes
    series = [f'whatsapp_api_errors_total{{code="{code}",endpoint="messages"}} 0.0' for code in codes]
    runbook = (ROOT / "docs/runbooks/batch-paused.md").read_text(encoding="utf-8")
    reasons = re.findall(r"^\| `(\w+)` \|", runbook, re.MULTILINE)
    assert len(reasons) == 6
    series += [f'whatsapp_batches_total{{reason="{reason}",state="paused"}} 0.0' for reason in reasons]
    assert [each for each in series if each not in shown] == []


def test_every_panel_of_the_dashboard_says_what_it_shows() -> None:
    silent = [p["title"] for p in dashboard()["panels"] if p["type"] != "row" and not p["description"]]
    assert silent == []


def test_every_series_stands_on_the_dashboard() -> None:
    body = exposition.render(exposition.scrape_registry(dict))[0].decode()
    ours = {re.sub(r"_total$", "", name) for name in re.findall(r"^# TYPE (whatsapp_\w+) ", body, re.MULTILINE)}
    shown = " ".join(expressions())
    assert sorted(name for name in ours if name not in shown) == []


@pytest.mark.parametrize(
    "unit", ["wa-web.service", "wa-worker@.service", "valkey-server.service", "valkey-sentinel.service"]
)
def test_systemd_takes_the_units(require_program: Programs, tmp_path: Path, unit: str) -> None:
    program = require_program("systemd-analyze")
    text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")
    # `systemd-analyze verify` requires the programs to exist.
    (tmp_path / unit).write_text(re.sub(r"/opt/wa-service/\.venv/bin/\w+|/usr/bin/valkey-server", "/bin/true", text))
    told = subprocess.run([program, "verify", tmp_path / unit], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_a_server_may_load_its_data_for_as_long_as_it_takes() -> None:
    """It tells systemd that it is ready after that, and systemd would end it after 90 s and start it again."""
    unit = (DEPLOY / "systemd/valkey-server.service").read_text(encoding="utf-8").splitlines()
    assert {"Type=notify", "TimeoutStartSec=infinity"} <= set(unit)


def test_the_unit_of_web_allows_what_a_unix_socket_needs(require_program: Programs) -> None:
    """A forbidden call would end gunicorn at its start."""
    program = require_program("systemd-analyze")

    def calls(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        told = subprocess.run([program, "syscall-filter", name], capture_output=True, text=True, check=True)
        members = [line.strip() for line in told.stdout.splitlines()[1:] if not line.strip().startswith("#")]
        return {call for member in members if member for call in calls(member)}

    allowed: set[str] = set()
    text = (DEPLOY / "systemd/wa-web.service").read_text(encoding="utf-8")
    for forbids, names in re.findall(r"^SystemCallFilter=(~?)(.+)$", text, re.MULTILINE):
        named = {call for name in names.split() for call in calls(name)}
        allowed = allowed - named if forbids else allowed | named
    assert {"bind", "chown", "fchown", "umask"} <= allowed
    assert {"ptrace", "setresuid", "chroot"} & allowed == set()


def nginx_takes(program: Path, directory: Path, site: str) -> None:
    (directory / "site.conf").write_text(site.replace("/etc/nginx/webhook.inc", str(DEPLOY / "nginx/webhook.inc")))
    (directory / "nginx.conf").write_text(
        f"events {{}}\npid {directory}/pid;\nhttp {{ access_log off; include {directory}/site.conf; }}\n"
    )
    command = [str(part) for part in (program, "-t", "-c", directory / "nginx.conf", "-e", directory / "errors")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("files", [["server.conf"], ["server.conf", "cluster.conf"]], ids=" ".join)
def test_valkey_takes_the_settings_and_check_finds_nothing_missing(tmp_path: Path, files: list[str]) -> None:
    settings = "".join((DEPLOY / "valkey" / file).read_text(encoding="utf-8") for file in files)
    config, socket = tmp_path / "valkey.conf", tmp_path / "s"
    lines = (f"port {free_port()}", f"cluster-port {free_port()}", f"unixsocket {socket}", f"dir {tmp_path}")
    config.write_text(settings + "\n".join(lines) + "\n", encoding="utf-8")
    with subprocess.Popen([valkey_binary(), config], stdout=subprocess.DEVNULL) as server:
        try:
            eventually(lambda: socket.exists() or server.poll() is not None, within=20)
            assert server.poll() is None
        finally:
            server.kill()
    assert {"appendonly yes", "min-replicas-to-write 1", "maxmemory-policy noeviction"} <= set(settings.splitlines())


def replicated_services() -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        """A loader that accepts the YAML tags of Compose."""

    Loader.add_multi_constructor("!", lambda *_: None)
    services: dict[str, Any] = yaml.load((DEPLOY / "compose.replicated.yaml").read_text("utf-8"), Loader)["services"]
    return services


def start_of(server: str, directory: Path) -> list[str]:
    """Return the command that a container starts with, up to the server itself, with a directory of ours."""
    shell, option, script = replicated_services()[server]["command"]
    script = re.sub("/run/secrets/[a-z_]+", str(directory / "secret"), script)
    script = script.replace("/etc", str(DEPLOY)).replace("/data", str(directory))
    return [shell, option, script.replace("exec valkey-server", "true")]


@pytest.mark.parametrize("server", ["valkey-1", "valkey-2", "sentinel-1"])
def test_a_start_without_the_secret_leaves_no_configuration_without_password(tmp_path: Path, server: str) -> None:
    """It would be kept, and the server would have no password for ever."""
    start = start_of(server, tmp_path)
    subprocess.run(start, check=True, stderr=subprocess.DEVNULL)
    (tmp_path / "secret").write_text("requirepass a\n", encoding="utf-8")
    subprocess.run(start, check=True)
    config = tmp_path / f"{server.partition('-')[0]}.conf"
    assert "requirepass a" in config.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("server", "is_replica"), [("valkey-1", False), ("valkey-2", True), ("valkey-3", True)])
def test_a_server_keeps_the_role_that_sentinel_gave_it(tmp_path: Path, server: str, is_replica: bool) -> None:
    """Else a primary that began as a replica restarts as the replica of its replica, and there is no primary."""
    start = start_of(server, tmp_path)
    assert "--replicaof" not in start[-1]
    (tmp_path / "secret").write_text("requirepass a\nmasterauth a", encoding="utf-8")
    config = tmp_path / "valkey.conf"
    subprocess.run(start, check=True)
    lines = config.read_text(encoding="utf-8").splitlines()
    assert {"appendonly yes", "requirepass a"} <= set(lines)
    assert ("replicaof valkey-1 6379" in lines) is is_replica
    config.write_text("of Sentinel", encoding="utf-8")
    subprocess.run(start, check=True)
    assert config.read_text(encoding="utf-8") == "of Sentinel"


def test_the_replicated_form_waits_for_every_replica() -> None:
    services = replicated_services()
    replicas = [name for name, one in services.items() if one and "replicaof" in str(one.get("command"))]
    sentinels = [name for name in services if name.startswith("sentinel-")]
    assert services["web"]["environment"]["WA_REDIS_REPLICAS"] == str(len(replicas)) == "2"
    assert services["worker"] == services["web"]
    assert len(sentinels) == 3
    assert {network for name in (*replicas, *sentinels) for network in services[name]["networks"]} == {"store"}


def test_nginx_lets_the_webhook_through_and_nothing_else(require_program: Programs, tmp_path: Path) -> None:
    program = require_program("nginx", "/usr/sbin/nginx")
    site = (DEPLOY / "nginx/compose.conf").read_text(encoding="utf-8")
    # Debian's nginx is older than `resolve`.
    nginx_takes(program, tmp_path, site.replace("web:8000 resolve", "127.0.0.1:1"))
    locations = re.findall(r"^location (.*) \{", (DEPLOY / "nginx/webhook.inc").read_text(), re.MULTILINE)
    assert locations == ["= /webhooks/whatsapp", "/"]


def test_nginx_follows_web_to_new_addresses() -> None:
    """A name without `resolve` is looked up at nginx's start only: every webhook to recreated containers was a 502."""
    site = (DEPLOY / "nginx/compose.conf").read_text(encoding="utf-8")
    assert re.search(r"^resolver 127\.0\.0\.11 valid=5s", site, re.MULTILINE)
    assert re.search(r"^upstream wa_web \{\n    zone wa_web 64k;\n    server web:8000 resolve ", site, re.MULTILINE)
    image = read_yaml("compose.yaml")["services"]["nginx"]["image"]
    version = re.findall(r"nginx:(\d+)\.(\d+)\.(\d+)@", image)
    assert [tuple(map(int, numbers)) for numbers in version] >= [(1, 27, 3)]


@pytest.mark.parametrize("with_client_certificate", [False, True])
def test_nginx_takes_the_site_with_tls(
    require_program: Programs, tmp_path: Path, with_client_certificate: bool
) -> None:
    program, openssl = require_program("nginx", "/usr/sbin/nginx"), require_program("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made = [openssl, "req", "-x509", *curve, "-nodes", "-subj", "/CN=x", "-keyout", key]
    subprocess.run([*map(str, made), "-out", str(certificate)], capture_output=True, check=True)
    site = (DEPLOY / "nginx/wa-service.conf").read_text(encoding="utf-8")
    if with_client_certificate:
        site = re.sub(r"^( +)# ((?:ssl_|if ).*[;}])$", r"\1\2", site, flags=re.MULTILINE)
        assert "\n    ssl_verify_client      on;" in site
    site = re.sub(r"(ssl_certificate|ssl_client_certificate) +\S+;", rf"\1 {certificate};", site)
    nginx_takes(program, tmp_path, re.sub(r"ssl_certificate_key +\S+;", f"ssl_certificate_key {key};", site))


def test_one_address_cannot_hold_nginx(tmp_path: Path) -> None:
    included = (DEPLOY / "nginx/webhook.inc").read_text(encoding="utf-8")
    assert "limit_conn wa_webhook " in included
    assert "client_body_timeout 10s;" in included
    assert "proxy_pass http://wa_web/webhooks/whatsapp;" in included
    for site in ("compose.conf", "wa-service.conf"):
        text = (DEPLOY / "nginx" / site).read_text(encoding="utf-8")
        assert "zone=wa_webhook:" in text
        assert "client_header_timeout 10s;" in text


def test_nobody_but_its_users_reaches_the_containers_valkey() -> None:
    compose = read_yaml("compose.yaml")
    networks = {name: set(service.get("networks", [])) for name, service in compose["services"].items()}
    assert {name for name, its in networks.items() if "store" in its} == {"web", "worker", "valkey"}
    assert networks["nginx"] & networks["valkey"] == networks["grafana"] & networks["valkey"] == set()
    assert "GF_SECURITY_ADMIN_PASSWORD__FILE" in compose["services"]["grafana"]["environment"]
    assert "valkey_conf" in compose["services"]["valkey"]["secrets"]


def test_the_containers_run_two_of_each_and_write_nowhere() -> None:
    services = read_yaml("compose.yaml")["services"]
    for name in ("web", "worker"):
        assert services[name]["deploy"]["replicas"] == 2
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert {"valkey", "prometheus", "grafana"} <= set(services)


def test_uploads_lie_on_disk_and_not_in_memory() -> None:
    compose = read_yaml("compose.yaml")
    web = compose["services"]["web"]
    mounts = {mount.split(":")[1]: mount.split(":")[0] for mount in web["volumes"]}
    assert mounts[web["environment"]["TMPDIR"]] in compose["volumes"]
    # A new volume takes its owner from the directory in the image.
    made = re.findall(r"install -d -o wa .*", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    assert web["environment"]["TMPDIR"] in made[0].split()
    assert "TMPDIR=/var/tmp\n" in (DEPLOY / "systemd/wa-web.service").read_text(encoding="utf-8")


def test_every_image_that_is_pulled_is_pinned_by_its_digest() -> None:
    named = []
    for path in (*DEPLOY.glob("*.yaml"), *DEPLOY.glob("*Dockerfile")):
        named += re.findall(r"^ *(?:image:|FROM) (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    pulled = [image for image in named if image != "wa-service"]  # built here
    assert len(pulled) >= 8
    assert [image for image in pulled if not re.fullmatch(r"[\w/.-]+:[\w.-]+@sha256:[0-9a-f]{64}", image)] == []
    listed = (ROOT / "docs/supply-chain.md").read_text(encoding="utf-8")
    assert [image for image in pulled if f"| `{image.partition('@')[0]}` |" not in listed] == []


def test_the_containers_valkey_keeps_everything() -> None:
    command = " ".join(read_yaml("compose.yaml")["services"]["valkey"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_files_that_the_containers_mount_exist() -> None:
    mounts = [
        volume.split(":")[0]
        for service in read_yaml("compose.yaml")["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert [mount for mount in mounts if not (DEPLOY / mount).is_file()] == []


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "emulator.Dockerfile"])
def test_an_image_copies_only_what_its_context_holds(dockerfile: str) -> None:
    allowed = set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / dockerfile).read_text(encoding="utf-8"), re.MULTILINE)
    assert copied
    names = [name for line in copied for name in line.split()]
    assert [name for name in names if f"!{name}" not in allowed or not (ROOT / name).exists()] == []
