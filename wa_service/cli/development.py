"""The settings of `make run`: an emulated Meta, generated secrets, and what the environment may add."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wa_service.cli.terminal import CommandError
from wa_service.config import settings
from wa_service.store.embedded_replicas import embedded_replicas_in

# Not taken from the environment: these name real things, or where the parts of `make run` find each other.
_FIXED = {
    "WA_API_KEYS",
    "WA_BIND",
    "WA_COEXISTENCE_NUMBERS",
    "WA_ENV_FILE",
    "WA_FAILOVER_PAUSE",
    "WA_METRICS_KEY",
    "WA_REDIS_FSYNC",
    "WA_REDIS_REPLICAS",
    "WA_REDIS_WAIT",
    "WA_REQUIRE_DURABLE_REDIS",
    "WA_SENTINEL_PASSWORD",
    "WA_STORE_TAG",
    "WA_TRUSTED_PROXIES",
    "WA_VAR_DIR",
    "WA_WORKER_METRICS_PORT",
    "PROMETHEUS_MULTIPROC_DIR",
}
# Not for commands: they report at once that the store is unavailable, and do not wait for it.
_PARTS_ONLY = {"WA_REDIS_WAIT", "PROMETHEUS_MULTIPROC_DIR"}
# Often set for the whole machine, so not reported as ignored.
_MACHINE_WIDE = {"HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"}
# Seconds. A large append-only file may take minutes to load; if Valkey dies, all parts end anyway.
VALKEY_WAIT = "600"


@dataclass(frozen=True, slots=True)
class Development:
    """How `make run` starts: the parts' environment, and which of our variables were taken or ignored."""

    environment: dict[str, str]
    api_key: str
    responder_secret: str
    taken: tuple[str, ...]
    ignored: tuple[str, ...]


def prepare(
    port: int,
    emulator_port: int,
    var: Path,
    *,
    script: Path | None = None,
    responder: str | None = None,
    llm: str | None = None,
    replicas: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Development:
    """Return the settings of `make run`; secrets are random, and generated once per directory.

    Args:
        port: web's port.
        emulator_port: the emulator's port.
        var: the data directory.
        script: a script file to answer with.
        responder: the URL of an http responder to answer with.
        llm: the base URL of a language model's server to answer with.
        replicas: number of the store's replicas; what is acknowledged is on all of them.
        environment: may add settings; default: this process's.
    """
    environment = settings.whole_environment() if environment is None else environment
    given = {name for name in environment if name in _our_variables() | {"WA_ENV_FILE"} and environment[name]}
    taken = {name for name in given if _may_be_taken(name)}
    vault = _Vault(var.absolute() / "secrets")
    api_key, responder_secret = _generate_secrets(vault)
    chosen = {
        "WA_LOG_FORMAT": "console",
        "WEB_CONCURRENCY": "1",
        **{name: value for name, value in environment.items() if name not in given or name in taken},
    }
    if not taken & {"WA_RESPONDER_SECRET", "WA_RESPONDER_SECRET_FILE"}:
        chosen["WA_RESPONDER_SECRET_FILE"] = vault.path("responder-secret")
    chosen |= _answering(script, responder, llm) | _of_the_parts(vault, port, emulator_port, var)
    if replicas:
        chosen |= _replicated(var, replicas)
    ignored = given - taken - _MACHINE_WIDE
    return Development(chosen, api_key, responder_secret, tuple(sorted(taken)), tuple(sorted(ignored)))


def _our_variables() -> set[str]:
    return {name for variable in settings.variables() for name in (variable.name, f"{variable.name}_FILE")}


def _may_be_taken(name: str) -> bool:
    """Whether the environment may set it: the names of real tokens, numbers and stores do not begin with WA_."""
    return name == "WEB_CONCURRENCY" or (
        name.startswith("WA_") and name.removesuffix("_FILE") not in _FIXED | {"WA_ENV"}
    )


def _generate_secrets(vault: _Vault) -> tuple[str, str]:
    """Generate what is missing; return the API key and the responder's secret."""
    api_key = vault.read("api-key", lambda: secrets.token_urlsafe(24))
    vault.read("api-keys", lambda: f"development:{api_key}:admin")
    vault.read("access-token", lambda: f"EAA{secrets.token_urlsafe(24)}")
    vault.read("verify-token", lambda: secrets.token_hex(12))
    vault.read("app-secret", lambda: secrets.token_hex(16))
    return api_key, vault.read("responder-secret", _standard_webhooks_secret)


def _answering(script: Path | None, responder: str | None, llm: str | None) -> dict[str, str]:
    """What answers customers, if one is named; at most one is."""
    if script is not None:
        return {"WA_RESPONDER": "script", "WA_SCRIPT_FILE": str(script)}
    if responder is not None:
        return {"WA_RESPONDER": "http", "WA_RESPONDER_URL": responder}
    if llm is not None:
        return {"WA_RESPONDER": "llm", "WA_LLM_URL": llm}
    return {}


def _of_the_parts(vault: _Vault, port: int, emulator_port: int, var: Path) -> dict[str, str]:
    """The emulated account, and where the parts find each other."""
    return {
        "WA_ENV_FILE": "/dev/null",  # a real token in `.env` must not be used by accident
        "WHATSAPP_ACCESS_TOKEN_FILE": vault.path("access-token"),
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_VERIFY_TOKEN_FILE": vault.path("verify-token"),
        "WHATSAPP_APP_SECRET_FILE": vault.path("app-secret"),
        "WHATSAPP_BUSINESS_ACCOUNT_ID": "200000000000001",
        "WHATSAPP_API_VERSION": "v24.0",
        "WHATSAPP_API_BASE_URL": f"http://127.0.0.1:{emulator_port}",
        "WA_API_KEYS_FILE": vault.path("api-keys"),
        "WA_BIND": f"127.0.0.1:{port}",
        "EMULATOR_PORT": str(emulator_port),
        "WA_VAR_DIR": str(var),
        "WA_REDIS_WAIT": VALKEY_WAIT,
    }


def _replicated(var: Path, replicas: int) -> dict[str, str]:
    """The store with replicas; what is acknowledged is on all of them."""
    servers = embedded_replicas_in(var.absolute(), replicas)
    return {
        "REDIS_URL_FILE": str(servers.url_file),
        "WA_SENTINEL_PASSWORD_FILE": str(servers.password_file),
        "WA_REDIS_REPLICAS": str(replicas),
        "WA_FAILOVER_PAUSE": "0",
    }


def write_settings(development: Development, var: Path) -> Path:
    """Write a run's settings to a file for `WA_ENV_FILE`, so that commands find its service; return the path."""
    ours = _our_variables()
    path = var / "settings.env"
    kept = {name: value for name, value in development.environment.items() if name in ours and name not in _PARTS_ONLY}
    settings.write_file(path, {**kept, "WA_VAR_DIR": str(var.absolute())})
    return path


class _Vault:
    """Secrets in files that only their owner may read."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"The directory {directory} cannot be used: {error.strerror}.") from None
        self._directory = directory

    def path(self, name: str) -> str:
        return str(self._directory / name)

    def read(self, name: str, make: Callable[[], str]) -> str:
        """Return a secret, generated at the first read."""
        try:
            file = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return (self._directory / name).read_text(encoding="ascii")
        with os.fdopen(file, "w", encoding="ascii") as output:
            output.write(secret := make())
        return secret


def _standard_webhooks_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
