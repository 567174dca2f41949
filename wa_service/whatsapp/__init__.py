"""Meta's WhatsApp Cloud API as a typed library: no Flask, no Redis, no settings.

    from wa_service.whatsapp import WhatsAppMetaClient

    client = WhatsAppMetaClient(access_token="…", phone_number_id="…", app_secret="…")
    client.send_message(to="15551234567", text="hello")

- `client`: send, media, signatures, management · `messages`, `templates`: outbound · `events`: inbound
- `errors`: exceptions with advice · `transport`: the only access to the network
"""

from __future__ import annotations

from wa_service.whatsapp.client import Sent, WhatsAppMetaClient
from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaNotFoundError,
    MediaTooLargeError,
    UnsupportedMediaError,
    WhatsAppAuthError,
    WhatsAppCircuitOpenError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppMediaError,
    WhatsAppOutcomeUnknownError,
    WhatsAppRateLimitError,
    WhatsAppRecipientError,
    WhatsAppRequestError,
    WhatsAppServerError,
    WhatsAppTemplateError,
)
from wa_service.whatsapp.media.download import Media, MediaInfo, MediaStream
from wa_service.whatsapp.outbound.messages import MarkAsRead, Message, parse_message, problems
from wa_service.whatsapp.outbound.templates import Template, build_components, check_against
from wa_service.whatsapp.phone_numbers import normalise_number
from wa_service.whatsapp.webhooks.events import is_delivery, parse
from wa_service.whatsapp.webhooks.signature import SignatureVerifier

__all__ = [
    "MarkAsRead",
    "Media",
    "MediaDownloadError",
    "MediaInfo",
    "MediaNotFoundError",
    "MediaStream",
    "MediaTooLargeError",
    "Message",
    "Sent",
    "SignatureVerifier",
    "Template",
    "UnsupportedMediaError",
    "WhatsAppAuthError",
    "WhatsAppCircuitOpenError",
    "WhatsAppConnectionError",
    "WhatsAppError",
    "WhatsAppMediaError",
    "WhatsAppMetaClient",
    "WhatsAppOutcomeUnknownError",
    "WhatsAppRateLimitError",
    "WhatsAppRecipientError",
    "WhatsAppRequestError",
    "WhatsAppServerError",
    "WhatsAppTemplateError",
    "build_components",
    "check_against",
    "is_delivery",
    "normalise_number",
    "parse",
    "parse_message",
    "problems",
]
