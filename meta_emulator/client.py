"""Client of a running emulator, for tests: its phones, faults, clock and webhooks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

JsonObject = dict[str, Any]

_REQUEST_SECONDS = 30.0


class ControlCallError(AssertionError):
    """The control API answered with an error."""


class NothingHeardError(AssertionError):
    """A phone waited for a message and received none; the text shows the last HTTP exchanges."""


class HeardMessage(dict[str, Any]):
    """A message as the phone shows it: Meta's object with ``status``, ``rendered`` and so on."""

    @property
    def id(self) -> str:
        """Message id (wamid)."""
        return str(self["id"])

    @property
    def type(self) -> str:
        """Meta's message type."""
        return str(self["type"])

    @property
    def text(self) -> str:
        """Text, caption, or body of an interactive message or template."""
        content = self.get(self.type)
        if self.type == "template":
            return str((self.get("rendered") or {}).get("body", ""))
        if self.type == "interactive":
            return str(content["body"]["text"]) if content and "body" in content else ""
        if isinstance(content, dict):
            return str(content.get("body", content.get("caption", "")))
        return ""

    @property
    def buttons(self) -> list[str]:
        """Titles of reply buttons, quick replies and list rows."""
        action = (self.get("interactive") or {}).get("action", {})
        titles = [button["reply"]["title"] for button in action.get("buttons", ())]
        titles += [row["title"] for section in action.get("sections", ()) for row in section.get("rows", ())]
        rendered = (self.get("rendered") or {}).get("buttons", ())
        return titles + [button["text"] for button in rendered if button["type"] == "QUICK_REPLY"]


class EmulatedMeta:
    """A running emulator.

    access_token, app_secret, verify_token, phone_number_id, business_account_id: what a service is configured with.
    """

    def __init__(
        self,
        url: str,
        *,
        access_token: str = "",
        app_secret: str = "",
        verify_token: str = "",
        phone_number_ids: Iterable[str] = (),
        business_account_id: str = "",
    ) -> None:
        self.url = url
        self.access_token = access_token
        self.app_secret = app_secret
        self.verify_token = verify_token
        self.phone_number_ids = tuple(phone_number_ids)
        self.business_account_id = business_account_id
        self.faults = FaultControl(self)
        self.clock = ClockControl(self)
        self._phones: dict[str, CustomerPhone] = {}
        self._controls = "_emulator"
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def phone_number_id(self) -> str:
        """Id of the first business number."""
        return self.phone_number_ids[0]

    def account(
        self, business_account_id: str, phone_number_ids: Iterable[str] = (), **properties: str
    ) -> EmulatedMeta:
        """Add a business account with an app of its own until the next reset; return a client for it.

        ``properties``: ``access_token``, ``app_secret``, ``verify_token``, ``app_id``, ``callback_url``; random if not
        given. Its phones, templates, faults, clock and webhooks are its own.
        """
        wanted = {"id": business_account_id, "phone_number_ids": list(phone_number_ids), **properties}
        added = self.control("POST", "accounts", wanted)
        account = EmulatedMeta(
            self.url,
            access_token=added["access_token"],
            app_secret=added["app_secret"],
            verify_token=added["verify_token"],
            phone_number_ids=added["phone_number_ids"],
            business_account_id=added["id"],
        )
        account._controls = f"_emulator/accounts/{added['id']}"
        return account

    def phone(self, number: str, **properties: Any) -> CustomerPhone:
        """Return a customer's phone, the same object for the same number.

        ``properties`` such as ``name`` or ``auto_read`` are set on it.
        """
        if properties:
            self.control("POST", "phones", {"wa_id": number, **properties})
        return self._phones.setdefault(number, CustomerPhone(self, number))

    def webhooks(self, url: str, secret: str = "", *, verify: bool = False) -> None:
        """Send webhooks to ``url``, signed with ``secret``; ``verify`` first sends Meta's verification request."""
        if secret:
            self.control("POST", "secret", {"app_secret": secret})
            self.app_secret = secret
        if verify:
            response = self.control("POST", "webhooks/handshake", {"url": url})
            if not response["ok"]:
                raise ControlCallError(f"the callback did not answer the verification request: {response['error']}")
        self.control("POST", "webhooks/callback", {"url": url})

    def settle(self, timeout: float = 10.0, quiet: float = 0.0) -> bool:
        """Wait until no webhook, timer or Graph call is pending, and ``quiet`` seconds after the last of them."""
        return bool(self.control("POST", "settle", {"timeout": timeout, "quiet": quiet})["settled"])

    def sends(self, **query: str) -> list[JsonObject]:
        """Return the recorded POSTs to ``/messages``; ``query`` is that of ``GET seen``."""
        found: list[JsonObject] = self.control("GET", "seen", params=query)["sends"]
        return found

    def behaviour(self, **options: Any) -> JsonObject:
        """Change options of the emulated Meta; return all of them."""
        return self.control("POST", "behaviour", options)

    def limits(self, **limits: Any) -> JsonObject:
        """Change limits; return all of them."""
        return self.control("POST", "limits", limits)

    def reset(self, callback_url: str | None = None) -> None:
        """Start a fresh world; ``callback_url`` replaces the webhook URL, empty for none."""
        self._phones.clear()
        self.control("POST", "reset", {} if callback_url is None else {"callback_url": callback_url})

    def graph(self, method: str, path: str, body: JsonObject | None = None, version: str = "v24.0") -> JsonObject:
        """Send a Graph call with the access token; return its JSON, also of an error."""
        headers = {"Authorization": f"Bearer {self.access_token}"}
        response = self._session.request(
            method, f"{self.url}/{version}/{path}", json=body, headers=headers, timeout=_REQUEST_SECONDS
        )
        found: JsonObject = response.json()
        return found

    def control(
        self, method: str, path: str, body: JsonObject | None = None, *, wait: float = 0.0, **options: Any
    ) -> JsonObject:
        """Call the control API (``docs/emulator.md``); raise ControlCallError for an error."""
        response = self._session.request(
            method, f"{self.url}/{self._controls}/{path}", json=body, timeout=_REQUEST_SECONDS + wait, **options
        )
        found: JsonObject = response.json()
        if response.status_code != 200:
            raise ControlCallError(f"{method} {path}: {found.get('error', response.status_code)}")
        return found


class CustomerPhone:
    """A customer's phone. ``heard`` returns the business's messages one after the other."""

    def __init__(self, meta: EmulatedMeta, number: str) -> None:
        self.number = number
        self.last: HeardMessage | None = None
        self._meta = meta
        self._cursor = 0
        self._unread: list[HeardMessage] = []

    def write(self, message: str | JsonObject, **more: Any) -> HeardMessage:
        """Send a text, or Meta's inbound message object; return it. ``more`` is added (``id``, ``context`` …)."""
        body = {"type": "text", "text": {"body": message}} if isinstance(message, str) else message
        return self._act("messages", {**body, **more})

    def send_file(self, file: Path, *, mime_type: str, **fields: str) -> HeardMessage:
        """Send a file; ``fields``: ``type``, ``caption``, ``voice`` (``"true"``)."""
        files = {"file": (file.name, file.read_bytes(), mime_type)}
        answer = self._meta.control("POST", f"phones/{self.number}/files", files=files, data=fields)
        return HeardMessage(answer["message"])

    def heard(self, wait: float = 10.0) -> HeardMessage:
        """Wait for the business's next message and return it; raise NothingHeardError after ``wait`` seconds."""
        if not self._unread:
            path = f"phones/{self.number}/messages"
            answer = self._meta.control("GET", path, params={"after": self._cursor, "wait": wait}, wait=wait)
            self._unread = [HeardMessage(message) for message in answer["messages"]]
            self._cursor = answer["cursor"]
        if not self._unread:
            raise NothingHeardError(f"{self.number} received no message within {wait:g} s\n{self._recent_exchanges()}")
        self.last = self._unread.pop(0)
        return self.last

    def heard_nothing(self, quiet: float = 0.3, timeout: float = 10.0) -> None:
        """Wait until the service is quiet; raise AssertionError where the phone received a message."""
        self._meta.settle(timeout, quiet)
        try:
            message = self.heard(wait=0)
        except NothingHeardError:
            return
        raise AssertionError(f"{self.number} received a message: {message.text or message.type}")

    def press(self, button: str | int, message: JsonObject | None = None) -> HeardMessage:
        """Press a button of ``message``, by default of the last one heard: title, id, payload or position.

        In a list message, pick the row with this title or id.
        """
        target = self._target(message)
        if (target.get("interactive") or {}).get("type") == "list":
            return self._act("pick", {"message_id": target["id"], "row": button})
        return self._act("press", {"message_id": target["id"], "button": button})

    def react(self, emoji: str, message: JsonObject | None = None) -> HeardMessage:
        """React to ``message``, by default to the last one heard; an empty emoji removes the reaction."""
        return self._act("react", {"message_id": self._target(message)["id"], "emoji": emoji})

    def edit(self, message: JsonObject, text: str) -> HeardMessage:
        """Replace the text of a message that this phone wrote."""
        return self._act("edit", {"message_id": message["id"], "text": text})

    def revoke(self, message: JsonObject) -> HeardMessage:
        """Delete a message that this phone wrote, for everyone."""
        return self._act("revoke", {"message_id": message["id"]})

    def read(self) -> int:
        """Mark everything as read; return how many messages."""
        return int(self._post("read", {})["read"])

    def call(self) -> str:
        """Call the business; return the call's id."""
        return str(self._post("call", {})["call_id"])

    def hang_up(self, call_id: str, *, seconds: float = 0.0) -> None:
        """End a call that lasted ``seconds``."""
        self._post("hangup", {"call_id": call_id, "seconds": seconds})

    def stop(self) -> None:
        """Stop marketing messages of the business."""
        self._post("preferences", {"value": "stop"})

    def resume(self) -> None:
        """Allow marketing messages again."""
        self._post("preferences", {"value": "resume"})

    def change(self, **properties: Any) -> JsonObject:
        """Change properties (``auto_deliver``, ``auto_read``, ``on_whatsapp`` …); return the phone."""
        return self._meta.control("PATCH", f"phones/{self.number}", properties)

    def messages(self) -> list[HeardMessage]:
        """Return the whole conversation, oldest first."""
        answer = self._meta.control("GET", f"phones/{self.number}/messages")
        return [HeardMessage(message) for message in answer["messages"]]

    def _act(self, action: str, body: JsonObject) -> HeardMessage:
        return HeardMessage(self._post(action, body)["message"])

    def _post(self, action: str, body: JsonObject) -> JsonObject:
        return self._meta.control("POST", f"phones/{self.number}/{action}", body)

    def _target(self, message: JsonObject | None) -> JsonObject:
        target = message if message is not None else self.last
        if target is None:
            raise AssertionError(f"{self.number} has heard no message yet")
        return target

    def _recent_exchanges(self) -> str:
        exchanges = self._meta.control("GET", "exchanges")["exchanges"][-5:]
        lines = [
            f"  {item['kind']} {item['method']} {item['url']} {item['status']} {item['note']}" for item in exchanges
        ]
        return "\n".join(["Last HTTP exchanges:", *lines]) if lines else "The emulator saw no HTTP exchange."


class FaultControl:
    """Planned failures of Graph calls."""

    def __init__(self, meta: EmulatedMeta) -> None:
        self._meta = meta

    def add(self, kind: str, **properties: Any) -> JsonObject:
        """Plan a failure: ``meta.faults.add("error", status=503, count=2)``."""
        planned: JsonObject = self._meta.control("POST", "faults", {"kind": kind, **properties})["faults"][0]
        return planned

    def clear(self) -> None:
        """Remove every planned failure."""
        self._meta.control("DELETE", "faults")

    def planned(self) -> list[JsonObject]:
        """Return the failures that are still planned."""
        found: list[JsonObject] = self._meta.control("GET", "faults")["faults"]
        return found


class ClockControl:
    """The emulated clock."""

    def __init__(self, meta: EmulatedMeta) -> None:
        self._meta = meta

    def advance(self, seconds: float) -> float:
        """Advance the clock; return the new time in Unix seconds."""
        return float(self._meta.control("POST", "clock", {"advance": seconds})["now"])

    def now(self) -> float:
        """Return the emulated time in Unix seconds."""
        return float(self._meta.control("GET", "clock")["now"])
