-- Keep a STOP under the digest of an address, as its contact had it. facts: fields and values.
-- args: digest facts...
-- include: allow_when_full
redis.call('HSET', prefix .. 'stop:' .. digest, unpack(facts))
