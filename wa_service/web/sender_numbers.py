"""The parameter `from`, which names one of our numbers, and the client for that number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.problems import INVALID, ProblemError
from wa_service.whatsapp.client import WhatsAppMetaClient

SenderNumber = Annotated[
    str | None, Field(alias="from", max_length=64, description="Our phone number id; default: the first one.")
]


class NumberQuery(CachedSchemaModel):
    """Which of our numbers."""

    from_: SenderNumber = None


@dataclass(frozen=True, slots=True)
class SenderClients:
    """The clients by phone number id, for management and media calls."""

    by_number: Mapping[str, WhatsAppMetaClient]
    default: str

    def find(self, number: str | None) -> WhatsAppMetaClient:
        """Return the client for one of our numbers; None: the default one.

        Raises:
            ProblemError: the number is not ours.
        """
        client = self.by_number.get(self.default if number is None else number)
        if client is None:
            sentence = "This must be the phone number id of one of this service's numbers."
            raise ProblemError(INVALID, fields=[("from", sentence)])
        return client
