"""The client of one business: sending, read marks, media, webhook signatures and management calls."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from requests.adapters import BaseAdapter

from wa_service.whatsapp.addresses import recipient_fields
from wa_service.whatsapp.errors import WhatsAppOutcomeUnknownError
from wa_service.whatsapp.http.deadline import DeadlineFactory, Watchdog
from wa_service.whatsapp.http.transport import USER_AGENT, CallGuard, CallObserver, Transport
from wa_service.whatsapp.management_client import ManagementClient
from wa_service.whatsapp.media.download import LARGEST, Media, MediaDownloader, MediaInfo, MediaStream, check_upload
from wa_service.whatsapp.media.uploads import FileLike, MultipartForm, open_upload
from wa_service.whatsapp.outbound.messages import (
    MarkAsRead,
    Message,
    TextMessage,
    parse_message,
    parse_reply,
)
from wa_service.whatsapp.outbound.templates import Value
from wa_service.whatsapp.webhooks.signature import SignatureVerifier

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """Meta's answer to a send: the message is accepted, but not yet delivered (2.2).

    `wa_id` may differ from `input` (Brazil, Mexico, Argentina), and is "" if only a `user_id` is known.
    `message_status`: only for templates (`accepted`, `held_for_quality_assessment`, `paused`), else "".
    """

    wamid: str
    wa_id: str
    user_id: str
    input: str
    message_status: str
    raw: dict[str, Any]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(message_status={self.message_status!r})"


class WhatsAppMetaClient(ManagementClient):
    """Meta's WhatsApp Cloud API for one number (and for others of the same account, by `phone_number_id=`).

    One client may be shared by all threads and greenlets. Methods raise `WhatsAppError`; see `errors.py`.
    """

    def __init__(
        self,
        access_token: str,
        phone_number_id: str,
        app_secret: str | Sequence[str] = "",
        api_version: str = "v18.0",
        base_url: str = "https://graph.facebook.com",
        *,
        business_account_id: str = "",
        guard: CallGuard | None = None,
        observe: CallObserver | None = None,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
        user_agent: str = USER_AGENT,
        pool_size: int = 100,
        connect_timeout: float = 5.0,
        read_timeout: float = 25.0,
        media_seconds: float = 30.0,
        deadline: DeadlineFactory = Watchdog,
        adapter: BaseAdapter | None = None,
    ) -> None:
        """`app_secret`: one, or several during a rotation. `Transport` documents the other arguments."""
        transport = Transport(
            base_url,
            api_version,
            access_token,
            guard=guard,
            observe=observe,
            proxies=proxies,
            ca_bundle=ca_bundle,
            user_agent=user_agent,
            pool_size=pool_size,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            deadline=deadline,
            adapter=adapter,
        )
        super().__init__(transport, phone_number_id, business_account_id)
        self._media = MediaDownloader(transport, base_url, access_token, step_seconds=media_seconds)
        secrets = [app_secret] if isinstance(app_secret, str) else list(app_secret)
        self._verifier = SignatureVerifier(secrets) if any(secrets) else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport!r}, phone_number_id={self.phone_number_id!r})"

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def send(self, payload: Mapping[str, Any], *, phone_number_id: str = "") -> Sent:
        """POST a payload (`Message.payload()`) once; it is never retried here (2.2 has no idempotency key)."""
        return _sent(self._transport.post_json("messages", f"{self._number(phone_number_id)}/messages", payload))

    def send_marketing(self, payload: Mapping[str, Any], *, phone_number_id: str = "") -> Sent:
        """Send a marketing template by the Marketing Messages API (2.10), optionally with `product_policy`."""
        path = f"{self._number(phone_number_id)}/marketing_messages"
        return _sent(self._transport.post_json("marketing_messages", path, payload))

    def send_message(
        self,
        to: str = "",
        text: str = "",
        *,
        message: Message | Mapping[str, Any] | None = None,
        reply_to: str = "",
        phone_number_id: str = "",
    ) -> Sent:
        """Send a text, or any `message` (a model, or Meta's object as for `parse_message`).

        `to` is a number or a business-scoped user id; it may be left out if `message` has one. `reply_to` is the wamid
        that the message answers. Raises `pydantic.ValidationError` for what Meta would refuse, and ValueError for both
        `text` and `message`, or a `message` that answers another one than `reply_to`.
        """
        return self.send(_message(to, text, message, reply_to).payload(), phone_number_id=phone_number_id)

    def send_template_message(
        self,
        to: str,
        name: str,
        language: str = "en_US",
        *,
        header: Value | None = None,
        body: Value | Sequence[Value] | None = None,
        buttons: Sequence[Value | None] | None = None,
        footer: object = None,
        carousel: Sequence[Mapping[str, Any]] | None = None,
        limited_time_offer: int | None = None,
        one_time_code: str | None = None,
        components: Sequence[Mapping[str, Any]] | None = None,
        phone_number_id: str = "",
    ) -> Sent:
        """Send a template, with values as for `build_components`, or raw `components`.

        Raises `pydantic.ValidationError`, also for a `footer`, which has no parameters.
        """
        parts = {
            "header": header,
            "body": body,
            "buttons": buttons,
            "footer": footer,
            "carousel": carousel,
            "limited_time_offer": limited_time_offer,
            "one_time_code": one_time_code,
            "components": components,
        }
        template = {
            "name": name,
            "language": language,
            **{key: part for key, part in parts.items() if part is not None},
        }
        message = parse_reply({"type": "template", "template": template}).addressed_to(to)
        return self.send(message.payload(), phone_number_id=phone_number_id)

    def mark_as_read(self, message_id: str, *, typing: bool = False, phone_number_id: str = "") -> None:
        """Mark a customer's message as read, optionally with the typing indicator (2.8)."""
        path = f"{self._number(phone_number_id)}/messages"
        self._transport.post_json("mark_as_read", path, MarkAsRead.of(message_id, typing=typing).payload())

    def upload_media(
        self, file: FileLike, *, mime_type: str = "", filename: str = "", phone_number_id: str = ""
    ) -> str:
        """Upload a path, bytes or a stream; return the media id, valid for 30 days (4.1).

        The file's bytes and name tell its type if it is not given. The upload may take as long as at 1 Mbit/s, at most
        ten minutes; after it the answer has 30 s. Raises `UnsupportedMediaError` or `MediaTooLargeError` before
        anything is sent. If the outcome is unknown, the file may be uploaded again.
        """
        upload = open_upload(file, mime_type=mime_type, filename=filename)
        try:
            check_upload(upload.mime_type, upload.size)
            form = MultipartForm({"messaging_product": "whatsapp", "type": upload.mime_type}, upload)
            path = f"{self._number(phone_number_id)}/media"
            headers = {"Content-Type": form.content_type, "Content-Length": str(len(form))}
            answer = self._transport.request(
                "media_upload", "POST", path, data=form, headers=headers, body_seconds=form.seconds
            )
            return _media_id(answer)
        except WhatsAppOutcomeUnknownError as unknown:
            unknown.retryable = True
            unknown.advice = "Upload the file again: no message was sent."
            raise
        finally:
            upload.close()

    def get_media(self, media_id: str, *, phone_number_id: str = "") -> MediaInfo:
        """Return a file's type, size, digest and URL, without its bytes (4.2)."""
        return self._media.resolve(media_id, phone_number_id=phone_number_id)

    def download_media(
        self, media_id: str, *, max_size: int = LARGEST, to: Path | IO[bytes] | None = None, phone_number_id: str = ""
    ) -> Media:
        """Download a file in two steps of at most 30 s each, into memory or to a path or stream (4.2, 4.3).

        Raises `MediaNotFoundError`, `MediaTooLargeError`, `MediaDownloadError`, or another `WhatsAppError` of the first
        step.
        """
        return self._media.download(media_id, phone_number_id=phone_number_id, max_size=max_size, to=to)

    def open_media(self, media_id: str, *, max_size: int = LARGEST, phone_number_id: str = "") -> MediaStream:
        """Open a download as a stream of chunks with `mime_type` and `size`."""
        return self._media.open(media_id, phone_number_id=phone_number_id, max_size=max_size)

    def delete_media(self, media_id: str, *, phone_number_id: str = "") -> None:
        """Delete a file at Meta; afterwards its id is unknown (4.4).

        Raises `MediaNotFoundError` for an unknown id, also if the answer to a first attempt was lost.
        """
        self._media.delete(media_id, phone_number_id=phone_number_id)

    def verify_webhook_signature(self, raw_body: bytes, header: str | None) -> bool:
        """Whether Meta signed these bytes (`X-Hub-Signature-256`), in constant time; logs the reason of a refusal."""
        reason = self._verifier.refusal(raw_body, header) if self._verifier else "no app secret"
        if reason is not None:
            _log.warning("webhook signature refused: %s, %d bytes", reason, len(raw_body))
        return reason is None


def _message(to: str, text: str, message: Message | Mapping[str, Any] | None, reply_to: str) -> Message:
    context = {"context": {"message_id": reply_to}} if reply_to else {}
    if message is None:
        return TextMessage.model_validate({"type": "text", "text": {"body": text}, **recipient_fields(to), **context})
    if text:
        raise ValueError("Give either text or message.")
    content = message.payload() if isinstance(message, Message) else message
    if context and content.get("context") not in (None, context["context"]):
        raise ValueError("The message has a context, which reply_to contradicts.")
    content = {**content, **context}
    return parse_reply(content).addressed_to(to) if to else parse_message(content)


def _sent(answer: dict[str, Any]) -> Sent:
    message, contact = _first(answer.get("messages")), _first(answer.get("contacts"))
    wamid = message.get("id")
    if not isinstance(wamid, str) or not wamid:
        raise WhatsAppOutcomeUnknownError("Meta answered without a message id", http_status=200)
    return Sent(
        wamid,
        _text(contact, "wa_id"),
        _text(contact, "user_id"),
        _text(contact, "input"),
        _text(message, "message_status"),
        answer,
    )


def _media_id(answer: Mapping[str, Any]) -> str:
    media_id = answer.get("id")
    if isinstance(media_id, int) and not isinstance(media_id, bool):
        return str(media_id)
    if not isinstance(media_id, str) or not media_id:
        raise WhatsAppOutcomeUnknownError("Meta accepted the file, but returned no media id")
    return media_id


def _first(value: object) -> Mapping[str, Any]:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
