"""The names, contents and lifetimes of all keys. The steps build the same names from the same prefix.

Every key begins with `wa:{<tag>}:`. The braces make it a hash tag: all keys of a tag are in one slot of a cluster, and
services with different tags can share a server.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

SEEN_SECONDS = 8 * 86_400
DEFAULT_TAG = "main"

Personal = Literal["conversation", "address", "holds", "no"]
"""How erasure finds a person in a family: by the conversation or address in the key's name, or in the keys' content
("holds"); "no": it has no personal data.
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
    Family("seen:<mark>", "string", "id of an admitted event in the stream", "8 days", "no"),
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
    Family(
        "answered:<c>",
        "list",
        "times of the last automatic answers",
        "twice the period of `WA_REPLY_LIMIT`",
        "conversation",
    ),
    Family("received_bytes:<c>", "string", "bytes received in one day", "1 day", "conversation"),
    Family(
        "large_event:<event>", "hash", "conversation and event, where the stream has short values", "retention", "holds"
    ),
    Family("unsent_bytes", "hash", "bytes that wait to be sent, by API key", "always", "no"),
    Family("floods:<c>", "hash", "number of excess events, the last dead letter", "1 day", "conversation"),
    Family("numbers", "set", "the numbers that the tag is bound to", "always", "no"),
    Family("former_numbers", "set", "former numbers whose sends may wait", "while they do", "no"),
    Family("lane:<c>", "list", "the records that wait", "until sent", "conversation"),
    Family(
        "thread:<c>",
        "list",
        "what happened, in order: references to events and records, the last 1,000",
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
    Family("recent", "zset", "conversations, by last activity", "retention", "holds"),
    Family("marketing:<c>", "zset", "marketing templates sent, by time", "7 days", "conversation"),
    Family("stop:<digest>", "hash", "the address with this keyed digest wants no marketing", "until START", "no"),
    Family("stop_key", "string", "the key of these digests, where `WA_STOP_KEY` gives none", "always", "no"),
    Family("stop_key_mark", "string", "digest of the key that was used first", "always", "no"),
    Family("stops_unwritten", "set", "contacts whose STOP is not yet written under digests", "seconds", "holds"),
    Family("categories:<waba>", "hash", "the category of each template", "until changed", "no"),
    Family("pair:<c>", "string", "the pair limit's state (GCRA)", "1 hour after the burst is free", "conversation"),
    Family("due", "zset", "conversations with a mailbox, by when they are due", "while there is work", "holds"),
    Family("begun", "hash", "first messages of new bursts, to show typing", "20 s", "holds"),
    Family("wake", "list", "wakes consumers of received messages, at most 64", "short", "no"),
    Family("wake_out:<n>", "list", "wakes consumers of a number's sends, at most 64", "short", "no"),
    Family("last_take:<consumer>", "hash", "a consumer's last answer of take, for a repeat", "2 minutes", "holds"),
    Family("last_next:<consumer>:<n>", "list", "a consumer's last answer of next, for a repeat", "2 minutes", "no"),
    Family("leases:<consumer>", "hash", "conversations a consumer has leased", "1 hour", "holds"),
    Family("claims:<consumer>", "set", "records a consumer is sending", "1 day", "no"),
    Family("workers", "zset", "worker processes, by their last heartbeat", "a minute", "no"),
    Family("record:<id>", "hash", "a send", "retention, from its end", "holds"),
    Family("sends", "zset", "ids of all sends, by when they were requested", "retention", "holds"),
    Family("shortened", "string", "the last send whose content was deleted for lack of memory", "1 day", "no"),
    Family("scheduled:<n>", "zset", "scheduled sends, by when they may leave", "until then", "holds"),
    Family("held_sends:<n>", "set", "ids of sends that wait for their template", "7 days", "no"),
    Family("paused_templates:<waba>", "hash", "templates that Meta paused, until when", "7 days", "no"),
    Family(
        "template_events:<waba>",
        "hash",
        "the time of Meta's last event about a template or a number's quality",
        "7 days",
        "no",
    ),
    Family("unavailable_templates:<waba>", "hash", "templates that Meta cannot send yet, until when", "7 days", "no"),
    Family("batches", "zset", "ids of all batches, by time", "retention, `WA_SCHEDULE_DAYS` and 5 days", "no"),
    Family("batches_of:<api key>", "set", "ids of an API key's batches, whose bytes are counted", "always", "no"),
    Family(
        "batches:<n>", "zset", "batches with items for a number, by when to look at them", "while there is work", "no"
    ),
    Family(
        "batch:<id>", "hash", "a batch: its state, its tag, its counts by status", "retention, from its end", "holds"
    ),
    Family("batch_items:<id>", "hash", "content of items that have not left, by index", "until they left", "holds"),
    Family("batch_wait:<id>:<n>", "list", "indexes of items that wait", "until they left", "no"),
    Family("batch_later:<id>:<n>", "zset", "indexes of items that wait until a time", "until they left", "no"),
    Family("batch_refused:<id>", "list", "refused items: index, why", "as long as their batch", "no"),
    Family("quality_requested:<n>", "string", "Meta was asked for the number's quality", "5 minutes", "no"),
    Family("batches_canceled", "set", "batches of which items are being canceled", "while there is work", "no"),
    Family("batch_notices", "list", "changes of batches, to be logged, at most 1,000", "short", "no"),
    Family("costs:<day>", "hash", "messages by category, type, country, number, batch, tag", "400 days", "holds"),
    Family("costs_compared:<day>", "string", "a day's costs were compared with Meta's", "3 days", "no"),
    Family("wamid:<mark>", "string", "the record of a wamid", "retention", "holds"),
    Family("idempotency:<api key>:<mark>", "hash", "fingerprint, id, until", "24 h after the record's end", "holds"),
    Family("out:<n>:<priority>", "zset", "lanes, by when their head may go", "while there is work", "holds"),
    Family("busy", "zset", "claims by their end", "while there is work", "holds"),
    Family("unknown", "zset", "unknown sends by when to settle", "while there is work", "holds"),
    Family("rate:<n>", "zset", "sends, by when they count for the throughput", "1 hour", "no"),
    Family("received:<n>", "zset", "received messages, by arrival", "1 hour", "no"),
    Family("tick", "string", "written before a WAIT, so that it covers earlier writes", "always", "no"),
    Family("epoch", "hash", "the primary's replication id, number of failovers", "always", "no"),
    Family("clock", "hash", "the store's own time", "always", "no"),
    Family("round_trip:<n>", "hash", "the fastest round trip (ms), number of round trips", "a minute", "no"),
    Family("spacing:<n>", "string", "when the next grant is due at an even pace", "1 hour", "no"),
    Family("bulk_spacing:<n>", "string", "the same, of bulk sends", "1 hour", "no"),
    Family("quota:<waba>", "zset", "customers opened by template", "24 h", "holds"),
    Family("pause:<n>", "hash", "a number's pause", "1 hour after it", "no"),
    Family("pace:<n>", "hash", "a number's lowered pace", "1 day", "no"),
    Family("turn:<n>", "string", "whose turn: replies or bulk", "1 day", "no"),
    Family(
        "meta_limits:<n or waba>",
        "hash",
        "limits from Meta; the displayed number",
        "until changed",
        "no",
    ),
    Family("confirmed:<n>", "list", "claim times of sends that have a status", "retention", "no"),
    Family("webhook_rejected_at", "string", "when a webhook was last rejected", "8 days", "no"),
    Family("dead", "zset", "dead letters, at most 10,000", "retention", "holds"),
    Family("dead_letter:<id>", "hash", "a dead letter", "retention", "holds"),
    Family(
        "events",
        "stream",
        "what customers wrote, outcomes of sends, statuses of other systems' sends",
        "retention, each entry",
        "holds",
    ),
    Family("subscriptions", "set", "ids of subscriptions", "until deleted", "no"),
    Family("subscription:<id>", "hash", "URL, secret, cursor, outcomes of deliveries", "until deleted", "no"),
    Family("push_due:<id>", "zset", "conversations with events to push, by due time", "while there is work", "holds"),
    Family("push_lane:<id>:<c>", "list", "ids of the events to push", "until pushed", "holds"),
    Family("push_head:<id>:<c>", "hash", "lease and tries of the first event", "until pushed", "holds"),
    Family("events_draft", "stream", "an unfinished copy of the stream", "a minute", "holds"),
    Family("events_lock", "string", "held while entries are deleted or the stream is copied", "a minute", "no"),
    Family("erasures", "hash", "whom unfinished erasures are about", "until continued, at most 7 days", "holds"),
    Family("erasure_lock:<digest>", "string", "held while an interrupted erasure is continued", "1 hour", "no"),
    Family("rewrite_wanted", "string", "a rewrite of the append-only file is requested", "until it starts", "no"),
    Family("compacted", "string", "stream and append-only file were rewritten", "1 day", "no"),
    Family("foreign", "list", "foreign statuses, without recipient, the last 1,000", "retention", "holds"),
    Family("stray", "list", "events for others' numbers, the last 1,000", "retention", "holds"),
    Family("management", "list", "management events, the last 1,000", "retention", "holds"),
    Family("signed_out:<session>", "string", "a session of the console that was ended", "8 hours", "no"),
    Family("minute:<minute>", "hash", "counts of one minute, for the console", "1 hour", "no"),
    Family("script_trials", "list", "sentences to try on the script", "a minute", "no"),
    Family("script_trial:<trial>", "string", "a worker's answer to one of them", "a minute", "no"),
    Family("results:<web process>", "list", "records whose caller waits", "60 s", "no"),
    Family("calls", "string", "REST calls by caller, for their limit", "the period of `WA_API_RATE`", "no"),
)
"""Every family of keys. "From last touch" may be a hundredth less, at most an hour: see steps/shared/lifetime.lua."""

QUEUES = (
    "mailbox:<c>",
    "conv:<c>",
    "due",
    "begun",
    "lane:<c>",
    "out:<n>:<priority>",
    "scheduled:<n>",
    "held_sends:<n>",
    "batches:<n>",
    "batch_wait:<id>:<n>",
    "batch_later:<id>:<n>",
    "unsent_bytes",
    "busy",
    "unknown",
    "leases:<consumer>",
    "claims:<consumer>",
    "last_take:<consumer>",
    "last_next:<consumer>:<n>",
)
"""Families of the work that waits or is in progress. Without their keys nothing that is stored is handled or sent;
everything else stays as it is. `conv` belongs to them: a head that was taken keeps later events from becoming due.
"""


def mark(number: str, message_id: str) -> bytes:
    """Return the 12-byte digest of a message's id: a wamid contains the customer's number, a digest does not."""
    return blake2b(f"{number}\0{message_id}".encode(), digest_size=12).digest()


def template_key(name: str, language: str) -> str:
    """Return a template's name in keys; Meta writes both `en_US` and `en-US`."""
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
        """Return a key from its family's name and the parts after it."""
        return self.prefix + ":".join(parts)

    def part_of(self, key: bytes) -> tuple[str, str]:
        """Return a key's family, and the part after it."""
        family, _, rest = key.decode("utf-8", "replace").removeprefix(self.prefix).partition(":")
        return family, rest

    def record(self, record_id: str) -> str:
        return self.of("record", record_id)

    def contact(self, conversation: str) -> str:
        return self.of("contact", conversation)

    def alias(self, number: str, address: str) -> str:
        return self.of("alias", number, address)

    def wamid(self, digest: bytes) -> str:
        return self.of("wamid", digest.hex())

    def idempotency(self, api_key_name: str, idempotency_key: str) -> str:
        """The key of an API key's idempotency key, of which only the digest is used: it may be any text."""
        digest = blake2b(idempotency_key.encode(), digest_size=16).hexdigest()
        return self.of("idempotency", api_key_name, digest)

    def dead_letter(self, letter_id: str) -> str:
        return self.of("dead_letter", letter_id)

    def wake_out(self, number: str) -> str:
        return self.of("wake_out", number)

    def out(self, number: str, priority: int) -> str:
        return self.of("out", number, str(priority))

    def lane(self, conversation: str) -> str:
        return self.of("lane", conversation)

    def thread(self, conversation: str) -> str:
        return self.of("thread", conversation)

    def mailbox(self, conversation: str) -> str:
        return self.of("mailbox", conversation)

    def results(self, web_process: str) -> str:
        return self.of("results", web_process)

    def meta_limits(self, number_or_waba: str) -> str:
        return self.of("meta_limits", number_or_waba)

    def pause(self, number: str) -> str:
        return self.of("pause", number)

    def pace(self, number: str) -> str:
        return self.of("pace", number)

    def categories(self, waba: str) -> str:
        return self.of("categories", waba)

    def scheduled(self, number: str) -> str:
        return self.of("scheduled", number)

    def rate(self, number: str) -> str:
        return self.of("rate", number)

    def received(self, number: str) -> str:
        return self.of("received", number)

    def quota(self, waba: str) -> str:
        return self.of("quota", waba)


def families(personal: Personal) -> tuple[str, ...]:
    """Return the names of the families with this kind of personal data."""
    return tuple(family.name.partition(":")[0] for family in FAMILIES if family.personal == personal)


def retention_table(all_families: Iterable[Family] = FAMILIES) -> str:
    """Return the retention table in Markdown (`make docs`)."""
    lines = ["| key | type | holds | lives | personal |", "|---|---|---|---|---|"]
    for family in all_families:
        personal = "no" if family.personal == "no" else "yes"
        cells = (f"`{family.name}`", family.form, family.holds, family.lives, personal)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
