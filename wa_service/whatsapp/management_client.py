"""Management calls for a number and its account: templates, profile, webhooks, health (reference 3.2, 5.5, 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from wa_service.whatsapp.errors import WhatsAppError, WhatsAppRequestError
from wa_service.whatsapp.http.transport import Transport
from wa_service.whatsapp.media.uploads import FileLike, open_upload

_ID: Final = re.compile(r"[A-Za-z0-9_.:=+-]{1,256}")
_PAGES: Final = 1000
_PROFILE_FIELDS: Final = "about,address,description,email,profile_picture_url,websites,vertical"


def path_id(value: str, what: str) -> str:
    """Return an id that is safe in a path; raise ValueError if it is empty or invalid."""
    if not _ID.fullmatch(value) or not value.strip("."):
        raise ValueError(f"The {what} is missing or invalid.")
    return value


class ManagementClient:
    """Calls about the number, its account and its templates.

    All methods return Meta's JSON as dicts and raise `WhatsAppError`.
    """

    def __init__(self, transport: Transport, phone_number_id: str, business_account_id: str) -> None:
        self._transport = transport
        self.phone_number_id = phone_number_id
        self.business_account_id = business_account_id

    def graph(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: object = None
    ) -> dict[str, Any]:
        """Call any other part of the Graph API, with the same transport, errors and observer.

        `path` is relative to the version, such as `/{id}/flows`; lists and objects in `params` are sent as JSON.
        """
        return self._transport.request("graph", method, path, params=params, json=json)

    def list_templates(self, *, limit: int = 100, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield every template of the account, page by page; `filters` such as `name=`, `status=`, `fields=`."""
        yield from self._pages("templates", f"{self._account()}/message_templates", {"limit": limit, **filters})

    def get_template(self, template_id: str, *, fields: str = "") -> dict[str, Any]:
        """Return a template by its id."""
        return self._get("templates", path_id(template_id, "template id"), fields)

    def create_template(
        self, name: str, language: str, category: str, components: Sequence[Mapping[str, Any]], **more: Any
    ) -> dict[str, Any]:
        """Create a template (3.3); return `id`, `status`, `category`. `more`: `parameter_format` and others."""
        body = {"name": name, "language": language, "category": category, "components": list(components), **more}
        return self._transport.request("templates", "POST", f"{self._account()}/message_templates", json=body)

    def edit_template(self, template_id: str, **changes: Any) -> dict[str, Any]:
        """Replace `components`, `category` or `message_send_ttl_seconds` of a template."""
        return self._transport.request("templates", "POST", path_id(template_id, "template id"), json=changes)

    def delete_template(self, name: str, *, template_id: str = "") -> dict[str, Any]:
        """Delete a template in all languages, or with its id only that one."""
        params = {"name": name, "hsm_id": template_id or None}
        return self._transport.request("templates", "DELETE", f"{self._account()}/message_templates", params=params)

    def get_business_profile(self, *, fields: str = _PROFILE_FIELDS) -> dict[str, Any]:
        """Return the number's public profile, with only the fields that are set (8.1)."""
        path = f"{self._number()}/whatsapp_business_profile"
        answer = self._transport.request("profile", "GET", path, params={"fields": fields})
        data = answer.get("data")
        first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else answer
        inner = first.get("business_profile")
        return inner if isinstance(inner, dict) else first

    def update_business_profile(self, **fields: Any) -> dict[str, Any]:
        """Change `about`, `address`, `description`, `email`, `websites`, `vertical`, `profile_picture_handle`."""
        body = {"messaging_product": "whatsapp", **fields}
        return self._transport.request("profile", "POST", f"{self._number()}/whatsapp_business_profile", json=body)

    def get_phone_number(self, phone_number_id: str = "", *, fields: str = "") -> dict[str, Any]:
        """Return a number's node: name, quality, throughput, limits (8.1)."""
        return self._get("phone_number", self._number(phone_number_id), fields)

    def list_phone_numbers(self, *, fields: str = "") -> Iterator[dict[str, Any]]:
        """Yield every number of the account."""
        yield from self._pages("phone_number", f"{self._account()}/phone_numbers", {"fields": fields or None})

    def get_business_account(self, *, fields: str = "") -> dict[str, Any]:
        """Return the account (WABA) (8.2)."""
        return self._get("business_account", self._account(), fields)

    def get_health(self, node_id: str = "") -> dict[str, Any]:
        """Return whether a number, WABA or template may send: `can_send_message` and its `entities` (8.3)."""
        node = path_id(node_id, "node id") if node_id else self._number()
        health = self._get("health", node, "health_status").get("health_status")
        return health if isinstance(health, dict) else {}

    def sync_app_data(self, sync_type: str) -> dict[str, Any]:
        """Request the Business app's `smb_app_state_sync` (address book) or `history` by webhook; once each (8.1)."""
        body = {"messaging_product": "whatsapp", "sync_type": sync_type}
        return self._transport.request("phone_number", "POST", f"{self._number()}/smb_app_data", json=body)

    def get_subscribed_apps(self) -> list[dict[str, Any]]:
        """Return the apps that get this account's webhooks, and their callbacks (5.5)."""
        return list(self._pages("subscribed_apps", f"{self._account()}/subscribed_apps", {}))

    def subscribe_app(self, *, override_callback_uri: str = "", verify_token: str = "") -> dict[str, Any]:
        """Subscribe the token's app to the account's webhooks, optionally at another URL, which Meta calls at once."""
        body = None
        if override_callback_uri:
            if len(override_callback_uri) > 200:
                raise ValueError("The URL of an override may have at most 200 characters.")
            body = {"override_callback_uri": override_callback_uri, "verify_token": verify_token}
        return self._transport.request("subscribed_apps", "POST", f"{self._account()}/subscribed_apps", json=body)

    def unsubscribe_app(self) -> dict[str, Any]:
        """Unsubscribe the token's app from this account's webhooks."""
        return self._transport.request("subscribed_apps", "DELETE", f"{self._account()}/subscribed_apps")

    def override_number_webhook(self, override_callback_uri: str, verify_token: str = "") -> dict[str, Any]:
        """Send the number's webhooks to another URL; "" removes the override."""
        configuration = {"override_callback_uri": override_callback_uri, "verify_token": verify_token}
        body = {"webhook_configuration": configuration}
        return self._transport.request("phone_number", "POST", self._number(), json=body)

    def debug_token(self, input_token: str) -> dict[str, Any]:
        """Return a token's `scopes`, `granular_scopes`, `expires_at` and `is_valid`."""
        answer = self._transport.request("debug_token", "GET", "debug_token", params={"input_token": input_token})
        data = answer.get("data")
        return data if isinstance(data, dict) else answer

    def upload_resumable(
        self, app_id: str, file: FileLike, *, mime_type: str = "", filename: str = "", resumes: int = 2
    ) -> str:
        """Upload a file for a template's header or a profile picture; return its handle (4.6).

        After a lost connection it asks Meta for the offset and resumes from there, at most `resumes` times.
        """
        upload = open_upload(file, mime_type=mime_type, filename=filename)
        try:
            params = {"file_name": upload.filename, "file_length": str(upload.size), "file_type": upload.mime_type}
            path = f"{path_id(app_id, 'app id')}/uploads"
            session = str(self._transport.request("uploads", "POST", path, params=params).get("id", ""))
            start = upload.stream.tell()
            offset = 0
            while True:
                upload.stream.seek(start + offset)
                try:
                    return self._upload_from(session, upload.stream.read(), offset)
                except WhatsAppError as problem:
                    if resumes <= 0 or not (problem.retryable or problem.group == "unknown"):
                        raise
                    resumes -= 1
                    offset = self._upload_offset(session)
        finally:
            upload.close()

    def _upload_from(self, session: str, rest: bytes, offset: int) -> str:
        path, query = _upload_path(session)
        headers = {"file_offset": str(offset), "Content-Type": "application/octet-stream"}
        answer = self._transport.request("uploads", "POST", path, params=query, data=rest, headers=headers)
        handle = answer.get("h")
        if not isinstance(handle, str) or not handle:
            raise WhatsAppRequestError("Meta returned no handle for the upload")
        return handle

    def _upload_offset(self, session: str) -> int:
        path, query = _upload_path(session)
        offset = self._transport.request("uploads", "GET", path, params=query).get("file_offset", 0)
        return offset if isinstance(offset, int) and offset >= 0 else 0

    def _pages(self, call: str, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        query = dict(params)
        for _ in range(_PAGES):
            answer = self._transport.request(call, "GET", path, params=query)
            data = answer.get("data")
            yield from (item for item in data if isinstance(item, dict)) if isinstance(data, list) else ()
            after = _next_cursor(answer)
            if after is None or after == query.get("after"):
                return
            query["after"] = after

    def _get(self, call: str, node: str, fields: str) -> dict[str, Any]:
        return self._transport.request(call, "GET", node, params={"fields": fields or None})

    def _account(self) -> str:
        return path_id(self.business_account_id, "business account id")

    def _number(self, phone_number_id: str = "") -> str:
        return path_id(phone_number_id or self.phone_number_id, "phone number id")


def _next_cursor(answer: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page. The `next` URL is never called, since it could lead anywhere (1.7)."""
    paging = answer.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) and after else None


def _upload_path(session: str) -> tuple[str, dict[str, str]]:
    """Split an upload session's id, which may have a query (`upload:…?sig=…`)."""
    path, _, query = session.partition("?")
    return path_id(path, "upload session"), dict(parse_qsl(query))
