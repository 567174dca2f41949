"""Every key's name and how long it lives. The scripts write the same names out; a test holds the two together.

"From last touch" is up to a hundredth of the time less, at most an hour: see steps/shared/lifetime.lua.

========================  ======  =================================================  ===========================
key                       type    what                                               lives
========================  ======  =================================================  ===========================
wa:seen:<mark>            string  this event was admitted                            8 days
wa:who:<n>:<address>      string  the conversation an address belongs to             retention, from last touch
wa:contact:<c>            hash    name, last_in, window_end, addresses, since        retention, from last touch
wa:box:<c>                zset    the mailbox: events by Meta's second, then order   until handled
wa:lane:<c>               hash    seq, token, takes, fails, head, urgent             8 days, from last touch
wa:due                    zset    conversations with a mailbox, by when to look      while there is work
wa:bell, wa:outbell:<n>   list    wake-ups, at most 64                               short
wa:took:<p>, wa:gave:…    hash    a puller's last answer, for a repeat               2 minutes
wa:held:<p>, claims:<p>   hash    what a puller works on                             1 hour, 1 day
wa:alive                  zset    worker processes, by when they last said so        a minute
wa:rec:<id>               hash    a send                                             retention, from its end
wa:w:<mark>               string  the record of a wamid                              retention
wa:idem:<key>:<mark>      hash    fingerprint, id, until                             24 h after the record's end
wa:q:<c>                  list    the lane: records that wait                        until sent
wa:out:<n>:<0|1>          zset    lanes whose head may go, by when                   while there is work
wa:busy, wa:doubt         zset    claims by end; unknown sends by when to settle     while there is work
wa:rate:<n>               zset    what was sent and received, by when it counts      a minute
wa:quick:<n>              hash    the fastest round trip (ms) of how many            a minute
wa:spread:<n>             string  when the next grant is due at an even pace           seconds
wa:pair:<c>               string  the customer's own pace (GCRA)                     until it is free
wa:reach:<waba>           zset    customers opened by template                       24 h
wa:pause:<n>, pace, turn  hash    a number's pause, its lowered pace, its turns      1 h, 1 day
wa:said:<n or waba>       hash    limits that Meta told us; n as customers see it    until told otherwise
wa:heard:<n>              list    when sends that had a status were accepted         retention
wa:refused_at             string  when a webhook of ours was last refused            8 days
wa:dead, wa:dead:<id>     zset    dead letters, at most 10,000                       retention
wa:events                 stream  what customers wrote, what became of sends         retention, each of them
wa:foreign, stray,        list    statuses of others' sends (without recipient),     retention
management                        events for others' numbers, management events:
                                  the last 1,000
wa:answers:<web process>  list    records whose caller waits                         60 s
========================  ======  =================================================  ===========================
"""

from __future__ import annotations

from hashlib import blake2b

SEEN_SECONDS = 8 * 86_400

DUE = "wa:due"
BELL = "wa:bell"
ALIVE = "wa:alive"
BUSY = "wa:busy"
DOUBT = "wa:doubt"
DEAD = "wa:dead"
EVENTS = "wa:events"
FOREIGN = "wa:foreign"
STRAY = "wa:stray"
MANAGEMENT = "wa:management"
REFUSED_AT = "wa:refused_at"


def mark(number: str, message_id: str) -> bytes:
    """The 12-byte digest that stands for a message: a wamid holds the customer's number, a digest does not."""
    return blake2b(f"{number}\0{message_id}".encode(), digest_size=12).digest()


def record(record_id: str) -> str:
    """A send."""
    return f"wa:rec:{record_id}"


def contact(conversation: str) -> str:
    """What is known of a customer."""
    return f"wa:contact:{conversation}"


def who(number: str, address: str) -> str:
    """The conversation an address belongs to."""
    return f"wa:who:{number}:{address}"


def wamid(digest: bytes) -> bytes:
    """The record of a wamid, by its mark."""
    return b"wa:w:" + digest.hex().encode()


def idempotency(api_key_name: str, idempotency_key: str) -> str:
    """An idempotency key of one API key; the key itself may hold anything, so its digest is stored."""
    return f"wa:idem:{api_key_name}:{blake2b(idempotency_key.encode(), digest_size=16).hexdigest()}"


def dead_letter(letter_id: str) -> str:
    """A dead letter."""
    return f"wa:dead:{letter_id}"


def out_bell(number: str) -> str:
    """Wakes the pullers of a number."""
    return f"wa:outbell:{number}"


def out(number: str, priority: int) -> str:
    """Lanes of a number whose head may go."""
    return f"wa:out:{number}:{priority}"


def lane_queue(conversation: str) -> str:
    """The records that wait in a lane."""
    return f"wa:q:{conversation}"


def mailbox(conversation: str) -> str:
    """The events that wait in a mailbox."""
    return f"wa:box:{conversation}"


def answers(web_process: str) -> str:
    """The records whose callers wait in one web process."""
    return f"wa:answers:{web_process}"


def said(number_or_waba: str) -> str:
    """What Meta told us of a number or an account."""
    return f"wa:said:{number_or_waba}"


def pause(number: str) -> str:
    """A number's pause."""
    return f"wa:pause:{number}"


def pace(number: str) -> str:
    """A number's lowered pace."""
    return f"wa:pace:{number}"


def rate(number: str) -> str:
    """Stamps of what a number sent and received."""
    return f"wa:rate:{number}"


def reach(waba: str) -> str:
    """Customers opened by template in the last 24 h."""
    return f"wa:reach:{waba}"
