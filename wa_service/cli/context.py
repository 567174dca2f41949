"""The runtime for the length of one command, and what can go wrong with it as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wa_service.config.settings import Settings

if TYPE_CHECKING:
    from wa_service.runtime import Runtime


class CommandError(Exception):
    """A command cannot do what it was asked for; the text is one sentence."""


@contextmanager
def opened(settings: Settings) -> Iterator[Runtime]:
    """Build the runtime, and close it in the end.

    Raises:
        CommandError: the store or Meta could not be asked, or said no.
        EmbeddedValkeyError: no embedded Valkey answers.
    """
    from wa_service import runtime
    from wa_service.store.flusher import StoreUnavailableError
    from wa_service.whatsapp.errors import WhatsAppError

    built = runtime.build(settings)
    try:
        yield built
    except StoreUnavailableError as error:
        raise CommandError(f"Redis does not answer: {error}.") from None
    except WhatsAppError as error:
        raise CommandError(f"Meta: {error}") from None
    finally:
        built.close()
