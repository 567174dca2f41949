"""Every key's name, what it holds and how long it lives. The steps build the same names from the same prefix.

Every key begins with `wa:{<tag>}:`. The braces make it a hash tag: all keys of a tag lie in one slot of a cluster, and
services with different tags share a server without seeing each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

SEEN_SECONDS = 8 * 86_400
DEFAULT_TAG = "main"

Personal = Literal["conversation", "address", "holds", "no"]
"""How erasure finds a person in a family: by the conversation or address in the key's name, or by walking what the keys
hold; "no": nothing in it tells of anybody.
"""


@dataclass(frozen=True, slots=True)
class Family:
    """Keys of one kind: `<prefix><name>`, or `<prefix><name>:<what>`."""

    name: str
    form: str
    holds: str
    lives: str
    personal: Personal


FAMILIES = (
    Family("seen:<mark>", "string", "this event was admitted; its place in the stream", "8 days", "no"),
    Family(
        "alias:<n>:<address>",
        "string",
        "the conversation an address belongs to",
        "retention, from last touch",
        "address",
    ),
    Family("former:<n>:<number>", "string", "who left this number, and when", "retention", "address"),
    Family("joined:<c>", "string", "the conversation that this one became", "retention", "conversation"),
    Family(
        "contact:<c>",
        "hash",
        "name, last_in, window_end, addresses, since, former, joined, quota, pauses, STOP, when each number came",
        "retention, from last touch",
        "conversation",
    ),
    Family("mailbox:<c>", "zset", "received events by Meta's second, then order", "until handled", "conversation"),
    Family("conv:<c>", "hash", "token, deliveries, failures, head", "8 days, from last touch", "conversation"),
    Family("wrong_type:<c>", "any", "a key that no step can read, set aside", "retention", "conversation"),
    Family("answered:<c>", "list", "when the last automatic answers were given", "minutes", "conversation"),
    Family("received_bytes:<c>", "string", "bytes received of one day", "1 day", "conversation"),
    Family(
        "large_event:<event>", "hash", "conversation and event, where the stream has short values", "retention", "holds"
    ),
    Family("unsent_bytes", "hash", "bytes that wait to be sent, by API key", "always", "no"),
    Family("floods:<c>", "hash", "how many came too much, the last letter", "1 day", "conversation"),
    Family("numbers", "set", "the numbers that the tag is bound to", "always", "no"),
    Family("former_numbers", "set", "numbers of before whose sends may wait", "while they do", "no"),
    Family("lane:<c>", "list", "the records that wait", "until sent", "conversation"),
    Family(
        "thread:<c>",
        "list",
        "what happened, in its order: places of what is kept elsewhere, the last 1,000",
        "retention, from last touch",
        "conversation",
    ),
    Family(
        "names",
        "zset",
        "each word of each customer's name, with the conversation",
        "until the contact ends, and up to a day",
        "holds",
    ),
    Family(
        "tagged:<digest>", "list", "ids of the newest sends with one tag, at most 120", "retention and 40 days", "no"
    ),
    Family("recent", "zset", "conversations, by when something last happened there", "retention", "holds"),
    Family("marketing:<c>", "zset", "marketing templates that went, by when", "7 days", "conversation"),
    Family("stop:<digest>", "hash", "the address with this keyed digest wants no marketing", "until START", "no"),
    Family("stop_key", "string", "the key of these digests, where `WA_STOP_KEY` gives none", "always", "no"),
    Family("stop_key_mark", "string", "which key the first process had, by its digest", "always", "no"),
    Family("stops_unwritten", "set", "contacts whose STOP has yet to be written so", "seconds", "holds"),
    Family("categories:<waba>", "hash", "the category of each template", "until told otherwise", "no"),
    Family("pair:<c>", "string", "the customer's own pace (GCRA)", "until it is free", "conversation"),
    Family("due", "zset", "conversations with a mailbox, by when to look", "while there is work", "holds"),
    Family("begun", "hash", "what began a burst that waits, to show typing", "20 s", "holds"),
    Family("wake", "list", "wakes consumers of received messages, at most 64", "short", "no"),
    Family("wake_out:<n>", "list", "wakes consumers of a number's sends, at most 64", "short", "no"),
    Family("last_take:<consumer>", "hash", "a consumer's last answer of take, for a repeat", "2 minutes", "holds"),
    Family("last_next:<consumer>:<n>", "list", "a consumer's last answer of next, for a repeat", "2 minutes", "no"),
    Family("held:<consumer>", "hash", "conversations a consumer works on", "1 hour", "holds"),
    Family("claims:<consumer>", "set", "records a consumer sends", "1 day", "no"),
    Family("workers", "zset", "worker processes, by their last heartbeat", "a minute", "no"),
    Family("record:<id>", "hash", "a send", "retention, from its end", "holds"),
    Family("sends", "zset", "ids of all sends, by when they were asked for", "retention", "holds"),
    Family("shortened", "string", "which of all sends was shortened last, while memory is short", "1 day", "no"),
    Family("scheduled:<n>", "zset", "scheduled sends, by when they may leave", "until then", "holds"),
    Family("held_sends:<n>", "set", "ids of sends that wait for a paused template", "7 days", "no"),
    Family("paused_templates:<waba>", "hash", "templates that Meta paused, until when", "7 days", "no"),
    Family("batches", "zset", "ids of all batches, by when they were asked for", "retention and 40 days", "no"),
    Family("batches_of:<api key>", "set", "ids of an API key's batches, whose bytes are counted", "always", "no"),
    Family("batches:<n>", "zset", "batches with items for a number, by when to look", "while there is work", "no"),
    Family("batch:<id>", "hash", "a batch: its state, its counts by status", "retention, from its end", "no"),
    Family("batch_items:<id>", "hash", "what items say that have not left, by index", "until they left", "holds"),
    Family("batch_wait:<id>:<n>", "list", "indexes of items that wait", "until they left", "no"),
    Family("batch_later:<id>:<n>", "zset", "indexes of items that rest, by until when", "until they left", "no"),
    Family("batch_refused:<id>", "list", "items that were refused: place, why", "as long as their batch", "no"),
    Family("quality_asked:<n>", "string", "Meta was asked for the number's quality", "5 minutes", "no"),
    Family("batches_canceled", "set", "batches of which items are being canceled", "while there is work", "no"),
    Family("batch_notices", "list", "what happened to batches, to be logged, at most 1,000", "short", "no"),
    Family("costs:<day>", "hash", "messages by category, type, country, number, batch, tag", "400 days", "no"),
    Family("costs_compared:<day>", "string", "a day's costs were compared with Meta's", "3 days", "no"),
    Family("wamid:<mark>", "string", "the record of a wamid", "retention", "holds"),
    Family("idempotency:<api key>:<mark>", "hash", "fingerprint, id, until", "24 h after the record's end", "holds"),
    Family("out:<n>:<priority>", "zset", "lanes whose head may go, by when", "while there is work", "holds"),
    Family("busy", "zset", "claims by their end", "while there is work", "holds"),
    Family("unknown", "zset", "unknown sends by when to settle", "while there is work", "holds"),
    Family("rate:<n>", "zset", "what was sent, by when it counts", "a minute", "no"),
    Family("received:<n>", "zset", "what was received, by its arrival", "a minute", "no"),
    Family("tick", "string", "written before a WAIT, so that it waits for what others wrote", "always", "no"),
    Family("epoch", "hash", "which server's data this is, and how often another one took over", "always", "no"),
    Family("clock", "hash", "the store's own time", "always", "no"),
    Family("round_trip:<n>", "hash", "the fastest round trip (ms) of how many", "a minute", "no"),
    Family("spacing:<n>", "string", "when the next grant is due at an even pace", "seconds", "no"),
    Family("bulk_spacing:<n>", "string", "the same, of bulk sends", "seconds", "no"),
    Family("quota:<waba>", "zset", "customers opened by template", "24 h", "holds"),
    Family("pause:<n>", "hash", "a number's pause", "1 hour after it", "no"),
    Family("pace:<n>", "hash", "a number's lowered pace", "1 day", "no"),
    Family("turn:<n>", "string", "whose turn: replies or bulk", "1 day", "no"),
    Family(
        "meta_limits:<n or waba>",
        "hash",
        "limits Meta told us; the number as customers see it",
        "until told otherwise",
        "no",
    ),
    Family("confirmed:<n>", "list", "when sends that had a status were accepted", "retention", "no"),
    Family("webhook_rejected_at", "string", "when a webhook of ours was last rejected", "8 days", "no"),
    Family("dead", "zset", "dead letters, at most 10,000", "retention", "holds"),
    Family("dead_letter:<id>", "hash", "a dead letter", "retention", "holds"),
    Family("events", "stream", "what customers wrote, what became of sends", "retention, each of them", "holds"),
    Family("subscriptions", "set", "ids of subscriptions", "until deleted", "no"),
    Family("subscription:<id>", "hash", "URL, secret, cursor, what became of deliveries", "until deleted", "no"),
    Family("push_due:<id>", "zset", "conversations with events to push, by when", "while there is work", "holds"),
    Family("push_lane:<id>:<c>", "list", "ids of the events to push", "until pushed", "holds"),
    Family("push_head:<id>:<c>", "hash", "lease and tries of the first of them", "until pushed", "holds"),
    Family("events_draft", "stream", "a copy of the stream in the making", "a minute", "holds"),
    Family("events_lock", "string", "somebody deletes entries, or copies the stream", "a minute", "no"),
    Family("rewrite_wanted", "string", "the append-only file is to be rewritten", "until it is", "no"),
    Family("compacted", "string", "stream and append-only file were rewritten", "1 day", "no"),
    Family("foreign", "list", "statuses of others' sends, without recipient, the last 1,000", "retention", "holds"),
    Family("stray", "list", "events for others' numbers, the last 1,000", "retention", "holds"),
    Family("management", "list", "management events, the last 1,000", "retention", "holds"),
    Family("signed_out:<session>", "string", "a session of the console that was ended", "8 hours", "no"),
    Family("minute:<minute>", "hash", "what was counted in one minute, for the console", "1 hour", "no"),
    Family("script_trials", "list", "sentences that somebody tries on the script", "a minute", "no"),
    Family("script_trial:<trial>", "string", "what a worker makes of one of them", "a minute", "no"),
    Family("results:<web process>", "list", "records whose caller waits", "60 s", "no"),
    Family("calls", "string", "REST calls by caller, for their limit", "a minute", "no"),
)
"""Every family of keys. "From last touch" is up to a hundredth of the time less: see steps/shared/lifetime.lua."""


def mark(number: str, message_id: str) -> bytes:
    """The 12-byte digest that stands for a message: a wamid holds the customer's number, a digest does not."""
    return blake2b(f"{number}\0{message_id}".encode(), digest_size=12).digest()


def template_key(name: str, language: str) -> str:
    """Return the name under which a template's category is kept; Meta writes `en-US`, too."""
    return f"{name} {language.replace('-', '_')}"


class Keys:
    """The names of one tag's keys."""

    def __init__(self, tag: str = DEFAULT_TAG) -> None:
        self.prefix = f"wa:{{{tag}}}:"
        self.due = self.of("due")
        self.wake = self.of("wake")
        self.workers = self.of("workers")
        self.busy = self.of("busy")
        self.unknown = self.of("unknown")
        self.sends = self.of("sends")
        self.dead = self.of("dead")
        self.recent = self.of("recent")
        self.events = self.of("events")
        self.foreign = self.of("foreign")
        self.stray = self.of("stray")
        self.management = self.of("management")
        self.webhook_rejected_at = self.of("webhook_rejected_at")

    def of(self, *parts: str) -> str:
        """A key by its family's name and what follows it."""
        return self.prefix + ":".join(parts)

    def part_of(self, key: bytes) -> tuple[str, str]:
        """A key's family, and what follows it."""
        family, _, rest = key.decode("utf-8", "replace").removeprefix(self.prefix).partition(":")
        return family, rest

    def record(self, record_id: str) -> str:
        """A send."""
        return self.of("record", record_id)

    def contact(self, conversation: str) -> str:
        """What is known of a customer."""
        return self.of("contact", conversation)

    def alias(self, number: str, address: str) -> str:
        """The conversation an address belongs to."""
        return self.of("alias", number, address)

    def wamid(self, digest: bytes) -> str:
        """The record of a wamid, by its mark."""
        return self.of("wamid", digest.hex())

    def idempotency(self, api_key_name: str, idempotency_key: str) -> str:
        """An idempotency key of one API key; the key itself may hold anything, so its digest is stored."""
        digest = blake2b(idempotency_key.encode(), digest_size=16).hexdigest()
        return self.of("idempotency", api_key_name, digest)

    def dead_letter(self, letter_id: str) -> str:
        """A dead letter."""
        return self.of("dead_letter", letter_id)

    def wake_out(self, number: str) -> str:
        """Wakes the consumers of a number's sends."""
        return self.of("wake_out", number)

    def out(self, number: str, priority: int) -> str:
        """Lanes of a number whose head may go."""
        return self.of("out", number, str(priority))

    def lane(self, conversation: str) -> str:
        """The records that wait in a lane."""
        return self.of("lane", conversation)

    def thread(self, conversation: str) -> str:
        """What happened in a conversation."""
        return self.of("thread", conversation)

    def mailbox(self, conversation: str) -> str:
        """The events that wait in a mailbox."""
        return self.of("mailbox", conversation)

    def results(self, web_process: str) -> str:
        """The records whose callers wait in one web process."""
        return self.of("results", web_process)

    def meta_limits(self, number_or_waba: str) -> str:
        """What Meta told us of a number or an account."""
        return self.of("meta_limits", number_or_waba)

    def pause(self, number: str) -> str:
        """A number's pause."""
        return self.of("pause", number)

    def pace(self, number: str) -> str:
        """A number's lowered pace."""
        return self.of("pace", number)

    def categories(self, waba: str) -> str:
        """The category of each template of an account."""
        return self.of("categories", waba)

    def scheduled(self, number: str) -> str:
        """Scheduled sends of a number."""
        return self.of("scheduled", number)

    def rate(self, number: str) -> str:
        """Stamps of what a number sent."""
        return self.of("rate", number)

    def received(self, number: str) -> str:
        """Stamps of what a number received."""
        return self.of("received", number)

    def quota(self, waba: str) -> str:
        """Customers opened by template in the last 24 h."""
        return self.of("quota", waba)


def families(personal: Personal) -> tuple[str, ...]:
    """Return the names of the families in which erasure finds a person in this way."""
    return tuple(family.name.partition(":")[0] for family in FAMILIES if family.personal == personal)


def retention_table(all_families: Iterable[Family] = FAMILIES) -> str:
    """The table of what is kept and for how long, in Markdown (`make docs`)."""
    lines = ["| key | type | holds | lives | personal |", "|---|---|---|---|---|"]
    for family in all_families:
        personal = "no" if family.personal == "no" else "yes"
        cells = (f"`{family.name}`", family.form, family.holds, family.lives, personal)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
