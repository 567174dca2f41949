-- Write something, so that a connection's WAIT waits for all that was written before it (store/confirmation.py).
-- include: allow_when_full
redis.call('INCR', prefix .. 'tick')
