"""Gunicorn's configuration; every value comes from the settings (`python -m wa_service settings`).

`wa-service web` passes this file to gunicorn, and the checkout's `gunicorn.conf.py` runs it. SIGHUP reloads it and
`.env` and replaces the workers one by one. Check first with `python -m wa_service settings --quiet`: invalid settings
would end the service.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from wa_service.config import settings
from wa_service.memory_guard import protect_memory
from wa_service.observability import log
from wa_service.web.server import DrainingGeventWorker, StructlogLogger, hold_stop_signals, run_in_child

try:
    _settings = settings.load()
except settings.SettingsError as error:
    sys.exit(str(error))
# Workers are forked from this process and inherit the protection.
protect_memory()
log.configure(_settings.log_format, _settings.log_numbers, level=_settings.log_level)

wsgi_app = "wa_service.wsgi:app"
bind = _settings.bind
workers = _settings.web_concurrency
# Concurrent greenlets per worker. Further connections wait in the kernel's queue, which counts towards Meta's timeout.
worker_connections = 1000
backlog = 2048

# A webhook is answered in milliseconds and the longest poll takes 20 s; a worker whose event loop does not run for
# `timeout` seconds hangs and is replaced.
timeout = 60
graceful_timeout = 25
keepalive = 75  # longer than a proxy keeps an idle connection, so that the proxy never writes into a closed one

# Bounds memory leaks; the jitter keeps workers from being recycled at the same time.
max_requests = 100_000
max_requests_jitter = 20_000

# Limits on what is read before the application can reject a request.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# Trust the headers of configured proxies only: anyone else could forge the address that the limiter sees.
forwarded_allow_ips = ",".join(_settings.trusted_proxies)

# Heartbeats are files: on a busy disk a live worker could look dead.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108 - gunicorn makes private files there

# No control socket in a home directory.
control_socket_disable = True


# Only the owner and the group (the proxy's) may connect to a `unix:` socket: its peers' headers are trusted.
umask = 0o007

worker_class = DrainingGeventWorker
logger_class = StructlogLogger


def on_starting(_: Any) -> None:
    """Log the warnings about settings and store once; exit if the service must not start."""
    for warning in settings.warnings(_settings, datetime.now(UTC).date()):
        log.get_logger().warning("whatsapp.settings", warning=warning)
    run_in_child(_check_store)


def pre_fork(_server: Any, _worker: Any) -> None:
    """Lose no stop signal that a worker gets before it can handle one."""
    hold_stop_signals()


def _check_store() -> int:
    # Imported in the child only, see `run_in_child`.
    from wa_service.startup import StartRefusedError, check_store
    from wa_service.store.embedded_valkey import EmbeddedValkeyError

    try:
        check_store(_settings, warn=True)
    except (EmbeddedValkeyError, StartRefusedError) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        return 1
    return 0
