"""Every phone with its newest message, for the phone page."""

from __future__ import annotations

from flask import Response

from meta_emulator.control.http import JsonObject, json_response
from meta_emulator.control.queries import ConversationsQuery
from meta_emulator.control.routes import Controls, route
from meta_emulator.control.world import number_view
from meta_emulator.records import Message, Phone

# Bounds the work after a load test with thousands of phones.
_UNREAD_WINDOW = 100


class ConversationControls(Controls):
    """``/_emulator/conversations``."""

    @route("GET", "/conversations")
    def conversations(self, query: ConversationsQuery) -> Response:
        """Return the phones, the one with the newest message first, at most ``?limit=`` (default 200).

        → ``{"conversations": [{"phone", "last": message or null, "unread": n}], "total", "numbers",
        "callback_url", "clock": {"now"}, "cursor"}``. ``unread`` counts at most the newest 100 messages of a phone.
        """
        phones = [(phone, self._newest(phone)) for phone in tuple(self.world.phones.values())]
        phones.sort(key=lambda found: -found[1][0].timestamp if found[1] else 0.0)
        return json_response(
            {
                "conversations": [_view(phone, newest) for phone, newest in phones[: query.limit]],
                "total": len(phones),
                "numbers": [number_view(number) for number in self.world.numbers.values()],
                "callback_url": self.world.callback_url if self.world.subscribed else "",
                "clock": {"now": self.world.clock.now()},
                "cursor": self.world.hub.last_id,
            }
        )

    def _newest(self, phone: Phone) -> list[Message]:
        """Return the newest messages, newest first."""
        wamids = list(phone.messages)[: -_UNREAD_WINDOW - 1 : -1]
        return [self.world.messages[wamid] for wamid in wamids if wamid in self.world.messages]


def _view(phone: Phone, newest: list[Message]) -> JsonObject:
    unread = sum(_is_unread(message) for message in newest)
    return {"phone": phone.view(), "last": newest[0].view() if newest else None, "unread": unread}


def _is_unread(message: Message) -> bool:
    from_the_business = message.direction == "in" and message.type != "reaction"
    return from_the_business and not {"read", "failed"} & set(message.status_times)
