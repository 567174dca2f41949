"""What a command works with: the settings, and the runtime for as long as it runs."""

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
    """Read the settings, and make this process ready to log and count.

    Raises:
        SettingsError: something required is missing or something given cannot be used.
    """
    given = settings.load()
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    multiprocess.share(given.metrics_dir)
    return given


@contextmanager
def open_runtime(given: Settings) -> Iterator[Runtime]:
    """Build the runtime, and close it in the end.

    Raises:
        CommandError: the store or Meta could not be asked, or said no.
        EmbeddedValkeyError: no embedded Valkey answers.
    """
    # Not before `load_settings`: a series takes its place among the shared ones when it is made. And commands without
    # a runtime, a worker's supervisor among them, start in half the time.
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
