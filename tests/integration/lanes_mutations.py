"""Deliberate faults in the steps, each of which the model must detect: file, original text, replacement."""

from __future__ import annotations

from pathlib import Path

MUTATIONS: dict[str, tuple[str, str, str]] = {
    "a late accepted leaves its lane as it is": (
        "done.lua",
        "if outcome == 'accepted' and not redis.call('ZSCORE', prefix .. 'busy', id) then",
        "if false then",
    ),
    "a status leaves the lane as it is": (
        "status.lua",
        "if not redis.call('ZSCORE', prefix .. 'busy', id) then drop_from_lane(number_of_send, conversation, id) end",
        "",
    ),
    "a renewal that comes after the end renews": (
        "shared/lease.lua",
        "return v[1] == token and v[2] and true or false",
        "return v[1] == token",
    ),
    "a token may come twice": (
        "take.lua",
        "local token = math.max(tonumber(v[4] or 0) + 1, now)",
        "local token = tonumber(v[4] or 0) + 1",
    ),
    "a lost lease finishes": ("shared/lease.lua", "return v[1] == token and v[2] and true or false", "return true"),
    "finish leaves the rest of the burst": (
        "finish.lua",
        "for _, other in ipairs(behind) do redis.call('ZREM', prefix .. 'mailbox:' .. conversation, other) end",
        "",
    ),
    "a late next grants": (
        "next.lua",
        "if before[1] and tonumber(counter) < tonumber(before[1]) then return { 0, 'late', failed } end",
        "",
    ),
    "a repeated next grants anew": ("next.lua", "if #answer > 3 then return answer end", ""),
    "a paused number sends": ("next.lua", "if ms > 0 then return { ms, 'pause', failed } end", ""),
    "behind a pause more than the probe leaves": ("next.lua", "count = 1 -- the probe", ""),
    "a template to who said STOP leaves": (
        "next.lua",
        "if reason then return refuse(id, conversation, reason, title) end",
        "",
    ),
    "the template quota has one place too many": (
        "shared/quota.lua",
        "redis.call('ZCARD', quota) >= limit",
        "redis.call('ZCARD', quota) > limit",
    ),
    "a failed template keeps its place in the quota": (
        "shared/quota.lua",
        "redis.call('ZREM', quota, customer(conversation))\nend",
        "end",
    ),
    "a cancel takes what is being sent": (
        "cancel.lua",
        "elseif v[1] == 'queued' and not v[4] and not redis.call('ZSCORE', prefix .. 'busy', id) then",
        "elseif v[1] == 'queued' or v[1] == 'sending' then",
    ),
    "a scheduled send leaves early": (
        "due.lua",
        "redis.call('ZRANGEBYSCORE', scheduled, '-inf', wall,",
        "redis.call('ZRANGEBYSCORE', scheduled, '-inf', wall + 3600000,",
    ),
    "the head of a paused batch leaves": (
        "shared/batch_items.lua",
        "if state ~= 'paused' then return false end",
        "do return false end",
    ),
    "what leaves its lane for a paused batch is lost": (
        "shared/batch_items.lua",
        "wait_in_batch(batch, number, redis.call('HGET', record_key(id), 'batch_index'), 0)",
        "",
    ),
    "what is settled twice is sent twice": ("settle.lua", "and not v[5] and v[6]", "and v[6]"),
    "a rejected webhook is no reason to wait": (
        "settle.lua",
        "elseif rejected_at > since and now < since + 12 * settle_ms then",
        "elseif false then",
    ),
    "a reaped send stands in its lane": ("reap.lua", "leave_lane(number, conversation, id)", ""),
    "the clock goes back": ("shared/clock.lua", "ahead = ahead - passed\n  elseif", "ahead = ahead\n  elseif"),
    "a clock that is set back hides a STOP": (
        "shared/consent.lua",
        "has_meta_time = true, received_at = now, latest_meta_time = at }",
        "has_meta_time = true, received_at = now, latest_meta_time = math.min(at, wall) }",
    ),
    "a START that comes late takes a STOP back": (
        "shared/consent.lua",
        "choice.received_at = now - math.max(0, wall - at - LAST_MS_OF_SECOND)",
        "choice.received_at = now",
    ),
    "a clock that is set ends claims": ("shared/clock.lua", "elseif passed > MOST_MS then", "elseif false then"),
    "a burst is handed out before it is over": (
        "admit.lua",
        "at = math.max(now, math.min(now + debounce_ms, since + debounce_most_ms))",
        "at = now",
    ),
    "a forgotten send of a batch counts as one that waits": (
        "erase_batch_item.lua",
        "redis.call('HGET', record, 'counted') or",
        "",
    ),
    "what a process that died had not begun is unknown": (
        "release_consumer.lua",
        "take_grant_back(id, v[1], v[2], v[3])",
        "redis.call('ZADD', prefix .. 'busy', 'XX', now, id)",
    ),
}


def mutate(name: str, folder: Path) -> None:
    """Introduce one fault into the steps in a folder."""
    file, before, after = MUTATIONS[name]
    source = (folder / file).read_text("utf-8")
    assert source.count(before) == 1, f"{file} has it {source.count(before)} times"
    (folder / file).write_text(source.replace(before, after), "utf-8")
