-- Note that a webhook was answered 5xx or a web process started: statuses may have been missed (`settle`).
-- args: seconds
-- include: refuse_when_full clock
redis.call('SET', prefix .. 'webhook_rejected_at', now, 'EX', seconds)
