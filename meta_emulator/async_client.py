"""The client of ``client.py`` for asyncio: each call runs in a thread."""

from __future__ import annotations

from asyncio import to_thread
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

    async def webhooks(self, url: str, secret: str = "") -> None:
        """Send webhooks to ``url``, signed with ``secret``."""
        await to_thread(self.sync.webhooks, url, secret)

    async def settle(self, timeout: float = 10.0, quiet: float = 0.0) -> bool:
        """Wait until no webhook, timer or Graph call is pending."""
        return await to_thread(self.sync.settle, timeout, quiet)

    async def add_fault(self, kind: str, **properties: Any) -> JsonObject:
        """Plan a failure of a Graph call."""
        return await to_thread(self.sync.faults.add, kind, **properties)

    async def advance_clock(self, seconds: float) -> float:
        """Advance the clock; return the new time in Unix seconds."""
        return await to_thread(self.sync.clock.advance, seconds)

    async def control(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        """Call the control API; raise ControlCallError for an error."""
        return await to_thread(self.sync.control, method, path, body)


class AsyncCustomerPhone:
    """A customer's phone. ``sync`` is the phone whose calls block."""

    def __init__(self, sync: CustomerPhone) -> None:
        self.sync = sync
        self.number = sync.number

    async def write(self, message: str | JsonObject, **more: Any) -> HeardMessage:
        """Send a text, or Meta's inbound message object."""
        return await to_thread(self.sync.write, message, **more)

    async def heard(self, wait: float = 10.0) -> HeardMessage:
        """Wait for the business's next message and return it; raise NothingHeardError after ``wait`` seconds."""
        return await to_thread(self.sync.heard, wait)

    async def heard_nothing(self, quiet: float = 0.3) -> None:
        """Raise AssertionError if the phone received a message."""
        await to_thread(self.sync.heard_nothing, quiet)

    async def press(self, button: str | int, message: JsonObject | None = None) -> HeardMessage:
        """Press a button, or pick a list row."""
        return await to_thread(self.sync.press, button, message)

    async def react(self, emoji: str, message: JsonObject | None = None) -> HeardMessage:
        """React to a message; an empty emoji removes the reaction."""
        return await to_thread(self.sync.react, emoji, message)

    async def call(self) -> str:
        """Call the business; return the call's id."""
        return await to_thread(self.sync.call)

    async def stop(self) -> None:
        """Stop marketing messages of the business."""
        await to_thread(self.sync.stop)
