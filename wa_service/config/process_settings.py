"""Settings of web, pushed events, logs, metrics and calls to the outside."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, PositiveInt, SecretStr

from wa_service.config.machine import cores
from wa_service.config.types import Address, BearerKey, HttpUrls, Networks, Port, SigningSecret
from wa_service.config.variable import variable


class ProcessSettings(BaseModel):
    """Settings of web, pushed events, logs, metrics and calls to the outside."""

    # Web
    bind: Address = variable("WA_BIND", "Where web listens: address:port or unix:path.", "127.0.0.1:8000")
    web_concurrency: PositiveInt = variable("WEB_CONCURRENCY", "Gunicorn's worker processes.", cores, shown="cores")
    trusted_proxies: Networks = variable(
        "WA_TRUSTED_PROXIES", "Addresses of proxies whose X-Forwarded-* headers count, comma separated.", ()
    )
    console: bool = variable("WA_CONSOLE", "Serve the console at /console, where an API key signs in.", True)
    console_numbers: Literal["read", "send", "manage", "admin", "none"] = variable(
        "WA_CONSOLE_NUMBERS",
        "Role to which the console shows customers' numbers whole, else masked: read, send, manage, admin or none.",
        "send",
    )

    # Events pushed to tools
    push_allow: Networks = variable(
        "WA_PUSH_ALLOW",
        "Networks beyond public ones where subscriptions, responder and speech may be, comma separated.",
        (),
    )
    event_urls: HttpUrls = variable(
        "WA_EVENT_URLS", "URLs that every event is pushed to, comma separated; more by /v1/subscriptions.", ()
    )
    event_secret: SigningSecret | None = variable(
        "WA_EVENT_SECRET", "Signs what is pushed to WA_EVENT_URLS (Standard Webhooks: whsec_…).", None, secret=True
    )

    # Seen
    log_format: Literal["auto", "json", "console"] = variable(
        "WA_LOG_FORMAT", "json, console, or auto: console on a terminal.", "auto"
    )
    log_level: Literal["info", "debug"] = variable(
        "WA_LOG_LEVEL", "info, or debug: a line for each webhook, status and media address, too.", "info"
    )
    log_numbers: Literal["masked", "full"] = variable(
        "WA_LOG_NUMBERS", "How telephone numbers stand in the log: masked or full.", "masked"
    )
    metrics_key: BearerKey | None = variable(
        "WA_METRICS_KEY", "Bearer key that /metrics asks for.", None, secret=True, shown="empty: /metrics is open"
    )
    metrics_dir: Path = variable(
        "PROMETHEUS_MULTIPROC_DIR",
        "Where the processes of one machine share their metrics.",
        Path("var/metrics"),
        shown="<WA_VAR_DIR>/metrics",
    )
    worker_metrics_port: Port = variable(
        "WA_WORKER_METRICS_PORT", "Port on which a worker on a machine of its own serves its metrics; 0: none.", 0
    )
    worker_metrics_bind: str = variable(
        "WA_WORKER_METRICS_BIND", "Address on which that port listens; beyond loopback set WA_METRICS_KEY.", "127.0.0.1"
    )
    sentry_dsn: SecretStr | None = variable("SENTRY_DSN", "Error tracking by Sentry.", None, secret=True)

    # Calls to the outside
    https_proxy: SecretStr | None = variable("HTTPS_PROXY", "Proxy for calls to the outside.", None, secret=True)
    no_proxy: str = variable("NO_PROXY", "Hosts called without the proxy, comma separated.", "")
    ca_bundle: Path | None = variable(
        "REQUESTS_CA_BUNDLE", "Certificates to trust for calls to the outside.", None, shown="certifi's"
    )
