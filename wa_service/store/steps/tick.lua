-- Write, so that the connection's WAIT covers all earlier writes, also of other connections (store/confirmation.py).
-- include: allow_when_full
redis.call('INCR', prefix .. 'tick')
