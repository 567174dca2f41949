"""Gunicorn's configuration; every value comes from the settings (`python -m wa_service settings`).

`wa-service web` names this file to gunicorn, and `gunicorn.conf.py` of the checkout runs it. SIGHUP reads it and `.env`
anew and replaces the workers one by one; check first with `python -m wa_service settings --quiet`, for a broken one
would end the service.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from wa_service.config import settings
from wa_service.memory_guard import protect_memory
from wa_service.observability import log
from wa_service.web.server import DrainingGeventWorker, StructlogLogger, run_in_child

try:
    _settings = settings.load()
except settings.SettingsError as error:
    sys.exit(str(error))
# Workers are forked from this process and stay protected.
protect_memory()
log.configure(_settings.log_format, _settings.log_numbers, level=_settings.log_level)

wsgi_app = "wa_service.wsgi:app"
bind = _settings.bind
workers = _settings.web_concurrency
# Greenlets a worker runs side by side; what is above waits in the kernel's queue, where Meta's patience counts.
worker_connections = 1000
backlog = 2048

# A webhook is answered in milliseconds and the longest poll takes 20 s; a worker that does not even turn its
# event loop for `timeout` seconds hangs and is replaced.
timeout = 60
graceful_timeout = 25
keepalive = 75  # longer than a proxy keeps an idle connection, so that the proxy never writes into a closed one

# Whatever leaks is bounded; the jitter keeps workers from being recycled at once.
max_requests = 100_000
max_requests_jitter = 20_000

# The parts of a request that are read before the application may refuse it.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

# Headers of a proxy count only when it is named: anyone else could pick the address that the limiter sees.
forwarded_allow_ips = ",".join(_settings.trusted_proxies)

# Heartbeats are files: on a disk under load a worker would seem dead.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108 - gunicorn makes private files there

# Nobody steers gunicorn through a socket in somebody's home directory.
control_socket_disable = True


# The socket of `unix:` is for its group, the proxy's: its peer may say whom it speaks for.
umask = 0o007

worker_class = DrainingGeventWorker
logger_class = StructlogLogger


def on_starting(_: Any) -> None:
    """Tell once what a person should know about settings and store; end where the service must not start."""
    for warning in settings.warnings(_settings, datetime.now(UTC).date()):
        log.get_logger().warning("whatsapp.settings", warning=warning)
    run_in_child(_check_store)


def _check_store() -> int:
    # In the child alone, see `run_in_child`.
    from wa_service.startup import StartRefusedError, check_store
    from wa_service.store.embedded_valkey import EmbeddedValkeyError

    try:
        check_store(_settings, warn=True)
    except (EmbeddedValkeyError, StartRefusedError) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        return 1
    return 0
