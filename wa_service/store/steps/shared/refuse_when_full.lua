-- At maxmemory the server rejects a script at its first command that needs memory, unless the script has written
-- before. Steps that add work begin with this write, which changes nothing, so that they are rejected as a whole or not
-- at all.
redis.call('SETRANGE', prefix .. 'none', 0, '')
