"""A command's settings and runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wa_service.cli.terminal import CommandError
from wa_service.config import settings
from wa_service.config.settings import Settings
from wa_service.observability import log, multiprocess

if TYPE_CHECKING:
    from wa_service.runtime import Runtime


def load_settings() -> Settings:
    """Load the settings, and configure logging and metrics.

    Raises:
        SettingsError: a required setting is missing or a value is invalid.
        CommandError: this user cannot write to the metrics' directory.
    """
    given = settings.load()
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    try:
        multiprocess.share(given.metrics_dir)
    except multiprocess.MetricsDirectoryError as error:
        raise CommandError(str(error)) from None
    return given


@contextmanager
def open_runtime(given: Settings) -> Iterator[Runtime]:
    """Build the runtime, and close it at the end.

    Raises:
        CommandError: the store or Meta does not answer or refuses a request.
        EmbeddedValkeyError: no embedded Valkey answers.
    """
    # Imported late: a metric series takes its slot in the shared files, which `load_settings` sets up, when it is
    # created. And commands without a runtime, such as a worker's supervisor, start in half the time.
    from wa_service import runtime
    from wa_service.store.flusher import StoreUnavailableError
    from wa_service.whatsapp.errors import WhatsAppError

    built = runtime.build(given)
    try:
        yield built
    except StoreUnavailableError as error:
        raise CommandError(f"Redis does not answer: {error}.") from None
    except WhatsAppError as error:
        raise CommandError(f"Meta: {error}") from None
    finally:
        built.close()
