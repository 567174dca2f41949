-- A server without memory left refuses a script at its first write that needs some, and nothing after one that needs
-- none. What brings new work asks first, with a write that changes nothing: all of it is refused, or nothing.
redis.call('SETRANGE', prefix .. 'none', 0, '')
