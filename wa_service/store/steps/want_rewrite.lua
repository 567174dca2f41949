-- Request a rewrite of the append-only file; the request expires after `seconds`.
-- args: seconds
-- include: allow_when_full
redis.call('SET', prefix .. 'rewrite_wanted', '1', 'EX', seconds)
