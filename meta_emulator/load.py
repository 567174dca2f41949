"""Load test: many customers write at a given rate; webhooks and statuses follow as Meta sends them under load."""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import gevent
from pydantic import Field

from meta_emulator import phone_actions
from meta_emulator.property_check import Between, Properties
from meta_emulator.records import SendAttempt
from meta_emulator.world import StateError, World

_FIRST_NUMBER = 15_550_000_000
_TAG = re.compile(r"#(\d+)")
# Without an answer for this long, none will come.
_IDLE_SECONDS = 5.0


class LoadPlan(Properties, frozen=True):
    """Parameters of a load test.

    rate: messages per second of all customers. seconds: how long they write. statuses: phones read immediately,
    so that each send has three statuses. batching: ``meta`` posts up to 1,000 pending updates at once, ``none`` one
    by one. duplicates: additional deliveries of every webhook. shuffle: send a message's statuses in random order.
    drain: seconds to wait for answers after the last message.
    """

    conversations: Annotated[int, Between(1, 1_000_000)] = 200
    rate: Annotated[float, Field(gt=0, le=100_000)] = 50.0
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    statuses: bool = True
    batching: Literal["meta", "none"] = "meta"
    duplicates: Annotated[int, Between(0, 100)] = 0
    shuffle: bool = False
    drain: Annotated[float, Field(ge=0, le=86_400)] = 30.0

    @property
    def messages(self) -> int:
        """Number of messages that the customers write."""
        return max(1, round(self.rate * self.seconds))


@dataclass(slots=True)
class _Written:
    wa_id: str
    at: float
    answers: int = 0
    answered_after: float = 0.0


def play_load(world: World, plan: LoadPlan) -> dict[str, Any]:
    """Run the load test against the subscribed callback; return the report.

    An answer belongs to the message whose tag ``#n`` it repeats; without a tag, to the oldest unanswered message of
    its conversation. Limits are disabled. Raises StateError without a callback.
    """
    number = next(iter(world.numbers.values()))
    if not world.callback_of(number.id):
        raise StateError("nobody is subscribed: set a callback first")
    world.limits.update(dict.fromkeys(("throughput", "pair", "window", "test_numbers"), False))
    world.behaviour = world.behaviour.with_changes(
        {
            "batch": 1000 if plan.batching == "meta" else 1,
            "batch_across_numbers": plan.batching == "meta",
            "duplicates": plan.duplicates,
            "shuffle_statuses": plan.shuffle,
            "send_statuses": plan.statuses,
        }
    )
    phones = [world.add_phone(str(_FIRST_NUMBER + place), auto_read=True) for place in range(plan.conversations)]
    first_attempt = world.attempt_count
    durations: list[tuple[float, float, int]] = []
    world.webhooks.durations = durations
    written: list[_Written] = []
    started = time.monotonic()
    for place in range(plan.messages):
        gevent.sleep(max(0.0, started + place / plan.rate - time.monotonic()))
        phone = phones[place % len(phones)]
        written.append(_Written(phone.wa_id, world.clock.now()))
        phone_actions.write(world, phone, number, {"type": "text", "text": {"body": f"message #{place}"}})
    wrote = time.monotonic() - started
    is_over = _drain(world, plan, first_attempt)
    world.webhooks.durations = None
    attempts = [attempt for attempt in world.attempts if attempt.n > first_attempt and attempt.wamid]
    out_of_order, strays = _match(written, attempts)
    return _report(world, plan, written, attempts, durations, wrote, out_of_order, strays, is_over=is_over)


def _drain(world: World, plan: LoadPlan, first_attempt: int) -> bool:
    """Wait for an answer to every message; return False if ``plan.drain`` seconds pass before all is settled."""
    end, seen, seen_at = time.monotonic() + plan.drain, 0, time.monotonic()
    while time.monotonic() < end:
        accepted = world.attempt_count - first_attempt
        if accepted != seen:
            seen, seen_at = accepted, time.monotonic()
        settled = world.webhooks.pending == 0 and world.activity.quiet_for(0.5)
        if settled and (accepted >= plan.messages or time.monotonic() - seen_at > _IDLE_SECONDS):
            return True
        gevent.sleep(0.05)
    return False


def _match(written: list[_Written], attempts: list[SendAttempt]) -> tuple[int, int]:
    """Assign each answer to its message; return how many came out of order, and how many had no message."""
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for place, message in enumerate(written):
        waiting[message.wa_id].append(place)
    latest: dict[str, int] = defaultdict(lambda: -1)
    out_of_order = strays = 0
    for attempt in attempts:
        answered = _answered_place(attempt, written, waiting)
        if answered is None:
            strays += 1
            continue
        message = written[answered]
        message.answers += 1
        if message.answers == 1:
            message.answered_after = attempt.at - message.at
            out_of_order += answered < latest[message.wa_id]
            latest[message.wa_id] = max(answered, latest[message.wa_id])
    return out_of_order, strays


def _answered_place(attempt: SendAttempt, written: list[_Written], waiting: dict[str, deque[int]]) -> int | None:
    content = attempt.content
    body = str(content.get("body", "")) if isinstance(content, dict) else ""
    if (tag := _TAG.search(body)) and int(tag[1]) < len(written) and written[int(tag[1])].wa_id == attempt.wa_id:
        return int(tag[1])
    queue = waiting.get(attempt.wa_id)
    return queue.popleft() if queue else None


def _report(
    world: World,
    plan: LoadPlan,
    written: list[_Written],
    attempts: list[SendAttempt],
    durations: list[tuple[float, float, int]],
    wrote: float,
    out_of_order: int,
    strays: int,
    *,
    is_over: bool,
) -> dict[str, Any]:
    acknowledged = sorted(seconds for _, seconds, status in durations if status == 200)
    answered = sorted(message.answered_after for message in written if message.answers)
    unanswered = sum(message.answers == 0 for message in written)
    first = written[0].at
    span = max([attempt.at for attempt in attempts], default=first) - first
    return {
        "plan": plan.model_dump(),
        "messages": len(written),
        "written_per_second": round(len(written) / max(wrote, 1 / plan.rate), 1),
        "webhooks": len(durations),
        "webhooks_refused": len(durations) - len(acknowledged),
        "ack_median_ms": _milliseconds(acknowledged, 0.5),
        "ack_p99_ms": _milliseconds(acknowledged, 0.99),
        "acks_over_1_s": sum(seconds > 1 for seconds in acknowledged),
        "answers": len(attempts),
        "answers_per_second": round(len(attempts) / span, 1) if span > 0 else float(len(attempts)),
        "answer_median_ms": _milliseconds(answered, 0.5),
        "answer_p99_ms": _milliseconds(answered, 0.99),
        "lost": unanswered if is_over else 0,
        "waiting": 0 if is_over else unanswered,
        "twice": sum(max(message.answers - 1, 0) for message in written) + strays,
        "out_of_order": out_of_order,
        "statuses_delivered": world.webhooks.counts["statuses"],
        "timeline": _timeline(written, attempts, durations, first),
    }


def _timeline(
    written: list[_Written], attempts: list[SendAttempt], durations: list[tuple[float, float, int]], first: float
) -> list[dict[str, float]]:
    """Return, per second, messages written, answers, and the 99th percentile of acknowledgements."""
    rows: dict[int, dict[str, float]] = defaultdict(lambda: {"written": 0, "answers": 0, "ack_p99_ms": 0.0})
    for message in written:
        rows[int(message.at - first)]["written"] += 1
    for attempt in attempts:
        rows[int(attempt.at - first)]["answers"] += 1
    acks: dict[int, list[float]] = defaultdict(list)
    for at, seconds, _ in durations:
        acks[max(0, int(at - first))].append(seconds)
    for second, values in acks.items():
        rows[second]["ack_p99_ms"] = _milliseconds(sorted(values), 0.99)
    return [{"second": second, **rows[second]} for second in range(max(rows, default=-1) + 1)]


def _milliseconds(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0.0
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1)
