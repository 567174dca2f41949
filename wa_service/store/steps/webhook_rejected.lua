-- A webhook of ours was answered 5xx, or a web process started: since then Meta's silence proves less (`settle`).
-- args: seconds
-- include: refuse_when_full clock
redis.call('SET', prefix .. 'webhook_rejected_at', now, 'EX', seconds)
