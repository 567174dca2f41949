"""Error tracking by Sentry (extra `sentry`, `SENTRY_DSN`), without personal data."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from pydantic import SecretStr

from wa_service.observability import log

# Parts that may contain personal data or secrets which no pattern finds.
_DROPPED = frozenset(["request", "user", "breadcrumbs", "extra", "server_name", "modules", "vars", "params"])


def configure(dsn: SecretStr | None) -> bool:
    """Report this process's unhandled errors, if there is a DSN.

    Returns:
        Whether errors are reported.
    """
    if dsn is None:
        return False
    if find_spec("sentry_sdk") is None:
        log.get_logger().warning("whatsapp.settings", warning="SENTRY_DSN is set, but the extra `sentry` is missing.")
        return False
    import sentry_sdk  # an extra, which may be missing

    sentry_sdk.init(**options(dsn.get_secret_value()))
    return True


def options(dsn: str) -> dict[str, Any]:
    """Return the SDK's options."""
    return {
        "dsn": dsn,
        # Local variables and bodies may hold messages.
        "include_local_variables": False,
        "max_request_body_size": "never",
        "max_breadcrumbs": 0,
        "traces_sample_rate": 0.0,
        "auto_session_tracking": False,
        "before_send": lambda event, _hint: scrub(event),
    }


def scrub(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without request, user and variables, and with every text masked like a log line.

    Exception messages are kept only for our own classes, since others may quote the data that they failed on.
    """
    return {name: _cleaned(value) for name, value in event.items() if name not in _DROPPED}


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return log.clean(value)
    if isinstance(value, dict):
        if "stacktrace" in value and not str(value.get("module") or "").startswith("wa_service"):
            value = {**value, "value": "…"}
        return {name: _cleaned(inner) for name, inner in value.items() if name not in _DROPPED}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value
