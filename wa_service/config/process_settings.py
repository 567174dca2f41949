"""Settings of web, pushed events, logs, metrics and outgoing calls."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, PositiveInt, SecretStr

from wa_service.config.machine import cores
from wa_service.config.types import Address, BearerKey, HttpUrls, Networks, Port, ReadablePath, SentryDsn, SigningSecret
from wa_service.config.variable import variable


class ProcessSettings(BaseModel):
    """Settings of web, pushed events, logs, metrics and outgoing calls."""

    # Web
    bind: Address = variable("WA_BIND", "Where web listens: address:port or unix:path.", "127.0.0.1:8000")
    web_concurrency: PositiveInt = variable(
        "WEB_CONCURRENCY", "Gunicorn's worker processes.", cores, shown="the number of cores"
    )
    trusted_proxies: Networks = variable(
        "WA_TRUSTED_PROXIES", "Addresses of proxies whose X-Forwarded-* headers are trusted, comma separated.", ()
    )
    console: bool = variable("WA_CONSOLE", "Serve the console at /console, with sign-in by API key.", True)
    console_numbers: Literal["read", "send", "manage", "admin", "none"] = variable(
        "WA_CONSOLE_NUMBERS",
        "Role that sees customers' numbers in the console unmasked: read, send, manage, admin or none.",
        "send",
    )

    # Events pushed to tools
    push_allow: Networks = variable(
        "WA_PUSH_ALLOW",
        "Non-public networks that subscriptions, responder and speech may be in, comma separated.",
        (),
    )
    event_urls: HttpUrls = variable(
        "WA_EVENT_URLS", "URLs that every event is pushed to, comma separated; add others by /v1/subscriptions.", ()
    )
    event_secret: SigningSecret | None = variable(
        "WA_EVENT_SECRET", "Signs events pushed to WA_EVENT_URLS (Standard Webhooks: whsec_…).", None, secret=True
    )

    # Logs, metrics and error tracking
    log_format: Literal["auto", "json", "console"] = variable(
        "WA_LOG_FORMAT", "json, console, or auto: console on a terminal.", "auto"
    )
    log_level: Literal["info", "debug"] = variable(
        "WA_LOG_LEVEL", "info, or debug: also a line for each webhook, status and media URL.", "info"
    )
    log_numbers: Literal["masked", "full"] = variable(
        "WA_LOG_NUMBERS", "How telephone numbers appear in the log: masked or full.", "masked"
    )
    metrics_key: BearerKey | None = variable(
        "WA_METRICS_KEY", "Bearer key of /metrics.", None, secret=True, shown="empty: /metrics is open"
    )
    metrics_dir: Path = variable(
        "PROMETHEUS_MULTIPROC_DIR",
        "Directory in which the processes of one machine share their metrics.",
        Path("var/metrics"),
        shown="<WA_VAR_DIR>/metrics",
    )
    worker_metrics_port: Port = variable(
        "WA_WORKER_METRICS_PORT", "Port on which a worker serves the metrics of a machine without web; 0: none.", 0
    )
    worker_metrics_bind: str = variable(
        "WA_WORKER_METRICS_BIND", "Address on which that port listens; beyond loopback set WA_METRICS_KEY.", "127.0.0.1"
    )
    sentry_dsn: SentryDsn | None = variable("SENTRY_DSN", "Error tracking by Sentry.", None, secret=True)

    # Outgoing calls
    https_proxy: SecretStr | None = variable(
        "HTTPS_PROXY", "Proxy for calls to Meta; other calls use none.", None, secret=True
    )
    no_proxy: str = variable("NO_PROXY", "Hosts that are called without it, comma separated.", "")
    ca_bundle: ReadablePath | None = variable(
        "REQUESTS_CA_BUNDLE", "CA bundle for outgoing calls.", None, shown="certifi's bundle"
    )
