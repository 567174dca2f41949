"""The emulated world: the state behind the Graph API, the control API and the page."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

from meta_emulator import addresses
from meta_emulator.activity import Activity, Arrivals
from meta_emulator.behaviour import Behaviour
from meta_emulator.clock import Clock, Timers
from meta_emulator.config import EmulatorConfig
from meta_emulator.credentials import Credentials
from meta_emulator.event_hub import EventHub
from meta_emulator.faults import FaultPlan
from meta_emulator.ids import Ids
from meta_emulator.limits import Limits
from meta_emulator.media_store import MediaStore
from meta_emulator.records import BusinessNumber, Exchange, Group, Message, Phone, SendAttempt, Template, Upload
from meta_emulator.webhooks import WebhookQueue

_ACCOUNT_NAME = "Emulated business"
_PHONES = 50_000
_MESSAGES_OF_A_PHONE = 1000
_REPEATED_WITHIN = 50


class StateError(Exception):
    """The world's state does not allow this."""


class World:
    """Numbers, phones, messages, media, templates, clock, limits, faults, webhooks and events.

    A new world has the configured numbers only; ``seed.new_world`` returns a seeded one.
    """

    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.hub = EventHub(config.kept_events)
        self.random = random.Random(config.random_seed)  # noqa: S311 - ids must be repeatable, not secret
        self.ids = Ids(self.random)
        self.behaviour = Behaviour(webhook_version=config.webhook_version)
        self.faults = FaultPlan(self.random)
        self.limits = Limits(self.clock, config.business_initiated_limit)
        self.exchanges: deque[Exchange] = deque(maxlen=config.kept_exchanges)
        self._exchange_number = 0
        self.webhooks = WebhookQueue(self)
        self.media_store = MediaStore(self.clock, self.ids, config.public_url)
        self.callback_url = config.callback_url
        self.account_override = ""
        self.activity = Activity()
        self.arrivals = Arrivals()
        self.credentials = Credentials.configured(config)
        self.subscribed = bool(config.callback_url)
        self.account_name = _ACCOUNT_NAME
        self.marketing_off_cloud = False
        self.token_error: tuple[int | None, str] | None = None
        self.refuse_connections: Callable[[float], None] | None = None
        # Additional business accounts by id, each with a world of its own.
        self.accounts: dict[str, World] = {}
        self._start_empty()

    def _start_empty(self) -> None:
        self.numbers: dict[str, BusinessNumber] = {}
        self.phones: dict[str, Phone] = {}
        self._phone_of: dict[str, str] = {}
        self.groups: dict[str, Group] = {}
        self.calls: dict[str, tuple[str, str, float]] = {}
        self.messages: OrderedDict[str, Message] = OrderedDict()
        self.templates: dict[str, Template] = {}
        self._template_of: dict[tuple[str, str], str] = {}
        self.deleted_templates: dict[tuple[str, str], float] = {}
        self.uploads: dict[str, Upload] = {}
        self.attempts: deque[SendAttempt] = deque(maxlen=self.config.kept_sends)
        self.attempt_count = 0
        self.accepted_by_customer: Counter[str] = Counter()
        self.attempts_by_outcome: Counter[str] = Counter()
        for position, number_id in enumerate(self.config.phone_number_ids):
            self.add_number(number_id, first=position == 0)

    def reset(self) -> None:
        """Remove everything and restart clock and random generator; only the webhook subscription stays."""
        self.drop_accounts()
        self.clock.reset()
        self.random.seed(self.config.random_seed)
        self.timers.clear()
        self.webhooks.clear()
        self.faults.clear()
        self.limits.reset()
        self.behaviour = Behaviour(webhook_version=self.config.webhook_version)
        self.token_error = None
        self.credentials = Credentials.configured(self.config)
        self.account_name = _ACCOUNT_NAME
        self.marketing_off_cloud = False
        self.exchanges.clear()
        self.media_store.clear()
        self._start_empty()
        self.hub.clear()

    def drop_accounts(self) -> None:
        """Remove the additional accounts with their timers and webhooks."""
        for other in self.accounts.values():
            other.timers.stop()
            other.webhooks.clear()
            other.webhooks.close()
        self.accounts.clear()

    # Numbers and phones

    def add_number(self, number_id: str, *, first: bool = False) -> BusinessNumber:
        """Add a business number with a generated ``+1 555-…`` line."""
        line = "0783881" if first else f"{int(number_id) % 10_000_000 if number_id.isdigit() else 1:07d}"
        number = BusinessNumber(
            id=number_id,
            digits=f"1555{line}",
            display=f"+1 555-{line[:3]}-{line[3:]}",
            verified_name=self.account_name,
            account_id=self.config.business_account_id,
        )
        self.numbers[number_id] = number
        return number

    def add_phone(self, wa_id: str, name: str = "", **properties: Any) -> Phone:
        """Add a phone, or change the properties of an existing one."""
        phone = self.phones.get(wa_id)
        if phone is None:
            user_id = properties.pop("user_id", "") or self.ids.business_scoped_user_id(addresses.country(wa_id))
            phone = Phone(wa_id, name or f"Phone {wa_id[-4:]}", user_id)
            self.phones[wa_id] = phone
            self._drop_oldest_auto_created()
        elif name:
            phone.name = name
        self._phone_of.pop(phone.parent_user_id, None)
        for item, value in properties.items():
            setattr(phone, item, value)
        phone.identity_hash = phone.identity_hash or self.ids.hexadecimal(12)
        self._index_phone(phone)
        self.publish_phone(phone)
        return phone

    def _index_phone(self, phone: Phone) -> None:
        """Make the phone known by its ids and, unless they are another phone's, by the spellings of its number."""
        for user_id in filter(None, (phone.user_id, phone.parent_user_id)):
            self._phone_of[user_id] = phone.wa_id
        for spelling in addresses.spellings(phone.wa_id):
            self._phone_of.setdefault(spelling, phone.wa_id)

    def restore_phone(self, phone: Phone) -> None:
        """Add a phone as it was saved."""
        self.phones[phone.wa_id] = phone
        self._index_phone(phone)

    def publish_phone(self, phone: Phone) -> None:
        """Publish a new or changed phone."""
        self.hub.publish("phone", phone.view())

    def rename_phone(self, phone: Phone, wa_id: str, user_id: str) -> None:
        """Change a phone's number or user id; it keeps its messages, and its old addresses become free."""
        for address in [address for address, owner in self._phone_of.items() if owner == phone.wa_id]:
            del self._phone_of[address]
        if wa_id != phone.wa_id:
            del self.phones[phone.wa_id]
            for message in self.messages_of(phone):
                message.wa_id = wa_id
        phone.wa_id, phone.user_id = wa_id, user_id
        self.phones[wa_id] = phone
        self._index_phone(phone)
        self.publish_phone(phone)

    def _drop_oldest_auto_created(self) -> None:
        """Bound the number of phones: remove the oldest that was added automatically."""
        if len(self.phones) > _PHONES:
            dropped = next((phone for phone in self.phones.values() if phone.auto_created), None)
            if dropped is not None:
                del self.phones[dropped.wa_id]
                for name in (dropped.user_id, dropped.parent_user_id, *addresses.spellings(dropped.wa_id)):
                    self._phone_of.pop(name, None)

    def find_phone(self, address: str) -> Phone | None:
        """Return the phone of digits in any spelling, or of a business-scoped user id, plain or parent."""
        wa_id = self._phone_of.get(address)
        return self.phones.get(wa_id) if wa_id else None

    def check_address(self, address: str, phone: Phone | None) -> None:
        """Raise StateError if a new number or user id of this phone belongs to another one."""
        if self.find_phone(address) not in (None, phone):
            raise StateError(f"{address} belongs to another phone")

    def phone_for(self, number: str) -> Phone:
        """Return the phone for digits that a business wrote to; add an unknown one."""
        phone = self.find_phone(number)
        if phone is None:
            phone = self.add_phone(addresses.wa_id(number), auto_created=True)
            self._phone_of.setdefault(number, phone.wa_id)
        return phone

    # Templates

    def add_template(self, template: Template) -> Template:
        """Add a template."""
        self.templates[template.id] = template
        self._template_of[template.name, template.language] = template.id
        return template

    def find_template(self, name: str, language: str) -> Template | None:
        """Return the template of this name in exactly this language."""
        template_id = self._template_of.get((name, language))
        return self.templates.get(template_id) if template_id else None

    def remove_template(self, template: Template) -> None:
        """Remove a template; an approved one blocks its name in its language for 30 days (reference 3.4, 6.7)."""
        if template.status == "APPROVED":
            self.deleted_templates[template.name, template.language] = self.clock.now()
        self.templates.pop(template.id, None)
        self._template_of.pop((template.name, template.language), None)

    # Messages

    def add_message(self, message: Message) -> None:
        """Store and publish a message; drop the oldest ones."""
        self.messages[message.id] = message
        if len(self.messages) > self.config.kept_messages:
            self.messages.popitem(last=False)
        for phone in filter(None, map(self.phones.get, self._readers_of(message))):
            if message.id not in phone.messages[-_REPEATED_WITHIN:]:
                phone.messages.append(message.id)
            if len(phone.messages) > _MESSAGES_OF_A_PHONE:
                del phone.messages[: _MESSAGES_OF_A_PHONE // 10]
        self.publish_message(message)

    def publish_message(self, message: Message) -> None:
        """Publish a new or changed message."""
        event = self.hub.publish("message", message.view())
        if message.direction == "in" and not message.received_at_event and _is_received(message):
            message.received_at_event = event.id
            for wa_id in self._readers_of(message):
                self.arrivals.notify(wa_id)

    def _readers_of(self, message: Message) -> list[str]:
        group = self.groups.get(message.group_id)
        return group.participants if group is not None else [message.wa_id]

    def received_after(self, phone: Phone, event_id: int) -> list[Message]:
        """Return the business's messages that the phone received after an event, in the order of receipt."""
        found = [message for message in self.messages_of(phone) if message.received_at_event > event_id]
        return sorted(found, key=lambda message: message.received_at_event)

    def messages_of(self, phone: Phone) -> list[Message]:
        """Return the phone's stored messages, oldest first."""
        return [self.messages[wamid] for wamid in phone.messages if wamid in self.messages]

    # Sends and exchanges

    def record_attempt(self, attempt: SendAttempt) -> None:
        """Record one POST to ``/messages``."""
        self.attempts.append(attempt)
        self.attempts_by_outcome[attempt.outcome] += 1
        if attempt.wamid:
            self.accepted_by_customer[attempt.wa_id] += 1

    def next_attempt(self) -> int:
        """Return the number of the next POST to ``/messages``."""
        self.attempt_count += 1
        return self.attempt_count

    def begin_exchange(self, **fields: Any) -> int:
        """Show a call in progress in the page's drawer; return the id to pass to `record_exchange` at its end."""
        self._exchange_number += 1
        begun = Exchange(
            id=self._exchange_number,
            at=self.clock.now(),
            request_headers={},
            status=0,
            response_body="",
            milliseconds=0.0,
            **fields,
        )
        self.hub.publish("exchange", lambda: begun.summary() | {"under_way": True})
        return begun.id

    def record_exchange(self, *, begun: int = 0, **fields: Any) -> Exchange:
        """Store an HTTP call for the page's drawer; `begun` is its id from `begin_exchange`, if any."""
        if not begun:
            self._exchange_number += 1
        exchange = Exchange(id=begun or self._exchange_number, at=self.clock.now(), **fields)
        self.exchanges.append(exchange)
        self.hub.publish("exchange", exchange.summary)
        return exchange

    # Webhooks

    def callback_of(self, number_id: str) -> str:
        """Return the callback URL: the number's override, then the account's, then the app's (reference 5.5)."""
        if not self.subscribed:
            return ""
        number = self.numbers.get(number_id)
        override = number.callback_override if number is not None else ""
        return override or self.account_override or self.callback_url


def _is_received(message: Message) -> bool:
    """Whether the phone has the message; reactions of the business only become ``sent``."""
    arrived = "sent" if message.type == "reaction" else "delivered"
    return arrived in message.status_times or "read" in message.status_times
