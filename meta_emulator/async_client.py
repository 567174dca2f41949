"""The client of ``client.py`` for asyncio: each call runs in a thread."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from meta_emulator.client import CustomerPhone, EmulatedMeta, HeardMessage, JsonObject


class AsyncEmulatedMeta:
    """A running emulator. ``sync`` is the client whose calls block."""

    def __init__(self, sync: EmulatedMeta) -> None:
        self.sync = sync
        self.url = sync.url

    def phone(self, number: str) -> AsyncCustomerPhone:
        """Return a customer's phone."""
        return AsyncCustomerPhone(self.sync.phone(number))

    async def account(
        self, business_account_id: str, phone_number_ids: Iterable[str] = (), **properties: str
    ) -> AsyncEmulatedMeta:
        """Add a business account with an app of its own until the next reset; return a client for it."""
        return AsyncEmulatedMeta(
            await to_thread(self.sync.account, business_account_id, phone_number_ids, **properties)
        )

    async def webhooks(self, url: str, secret: str = "", *, verify: bool = False) -> None:
        """Send webhooks to ``url``, signed with ``secret``; ``verify`` first sends Meta's verification request."""
        await to_thread(self.sync.webhooks, url, secret, verify=verify)

    async def settle(self, timeout: float = 10.0, quiet: float = 0.0) -> bool:
        """Wait until no webhook, timer or Graph call is pending."""
        return await to_thread(self.sync.settle, timeout, quiet)

    async def add_fault(self, kind: str, **properties: Any) -> JsonObject:
        """Plan a failure of a Graph call."""
        return await to_thread(self.sync.faults.add, kind, **properties)

    async def clear_faults(self) -> None:
        """Remove every planned failure."""
        await to_thread(self.sync.faults.clear)

    async def planned_faults(self) -> list[JsonObject]:
        """Return the failures that are still planned."""
        return await to_thread(self.sync.faults.planned)

    async def advance_clock(self, seconds: float) -> float:
        """Advance the clock; return the new time in Unix seconds."""
        return await to_thread(self.sync.clock.advance, seconds)

    async def now(self) -> float:
        """Return the emulated time in Unix seconds."""
        return await to_thread(self.sync.clock.now)

    async def sends(self, **query: str) -> list[JsonObject]:
        """Return the recorded POSTs to ``/messages``; ``query`` is that of ``GET seen``."""
        return await to_thread(self.sync.sends, **query)

    async def behaviour(self, **options: Any) -> JsonObject:
        """Change options of the emulated Meta; return all of them."""
        return await to_thread(self.sync.behaviour, **options)

    async def limits(self, **limits: Any) -> JsonObject:
        """Change limits; return all of them."""
        return await to_thread(self.sync.limits, **limits)

    async def reset(self, callback_url: str | None = None) -> None:
        """Start a fresh world; ``callback_url`` replaces the webhook URL, empty for none."""
        await to_thread(self.sync.reset, callback_url)

    async def graph(self, method: str, path: str, body: JsonObject | None = None, version: str = "v24.0") -> JsonObject:
        """Send a Graph call with the access token; return its JSON, also of an error."""
        return await to_thread(self.sync.graph, method, path, body, version)

    async def control(self, method: str, path: str, body: JsonObject | None = None, **options: Any) -> JsonObject:
        """Call the control API; raise ControlCallError for an error."""
        return await to_thread(self.sync.control, method, path, body, **options)


class AsyncCustomerPhone:
    """A customer's phone. ``sync`` is the phone whose calls block."""

    def __init__(self, sync: CustomerPhone) -> None:
        self.sync = sync
        self.number = sync.number

    async def write(self, message: str | JsonObject, **more: Any) -> HeardMessage:
        """Send a text, or Meta's inbound message object."""
        return await to_thread(self.sync.write, message, **more)

    async def send_file(self, file: Path, *, mime_type: str, **fields: str) -> HeardMessage:
        """Send a file; ``fields``: ``type``, ``caption``, ``voice`` (``"true"``)."""
        return await to_thread(self.sync.send_file, file, mime_type=mime_type, **fields)

    async def heard(self, wait: float = 10.0) -> HeardMessage:
        """Wait for the business's next message and return it; raise NothingHeardError after ``wait`` seconds."""
        return await to_thread(self.sync.heard, wait)

    async def heard_nothing(self, quiet: float = 0.3, timeout: float = 10.0) -> None:
        """Raise AssertionError if the phone received a message."""
        await to_thread(self.sync.heard_nothing, quiet, timeout)

    async def press(self, button: str | int, message: JsonObject | None = None) -> HeardMessage:
        """Press a button, or pick a list row."""
        return await to_thread(self.sync.press, button, message)

    async def react(self, emoji: str, message: JsonObject | None = None) -> HeardMessage:
        """React to a message; an empty emoji removes the reaction."""
        return await to_thread(self.sync.react, emoji, message)

    async def edit(self, message: JsonObject, text: str) -> HeardMessage:
        """Replace the text of a message that this phone wrote."""
        return await to_thread(self.sync.edit, message, text)

    async def revoke(self, message: JsonObject) -> HeardMessage:
        """Delete a message that this phone wrote, for everyone."""
        return await to_thread(self.sync.revoke, message)

    async def read(self) -> int:
        """Mark everything as read; return how many messages."""
        return await to_thread(self.sync.read)

    async def call(self) -> str:
        """Call the business; return the call's id."""
        return await to_thread(self.sync.call)

    async def hang_up(self, call_id: str, *, seconds: float = 0.0) -> None:
        """End a call that lasted ``seconds``."""
        await to_thread(self.sync.hang_up, call_id, seconds=seconds)

    async def stop(self) -> None:
        """Stop marketing messages of the business."""
        await to_thread(self.sync.stop)

    async def resume(self) -> None:
        """Allow marketing messages again."""
        await to_thread(self.sync.resume)

    async def change(self, **properties: Any) -> JsonObject:
        """Change properties (``auto_deliver``, ``auto_read``, ``on_whatsapp`` …); return the phone."""
        return await to_thread(self.sync.change, **properties)

    async def messages(self) -> list[HeardMessage]:
        """Return the whole conversation, oldest first."""
        return await to_thread(self.sync.messages)
