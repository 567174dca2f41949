-- At maxmemory the server rejects a script at its first command that needs memory, unless the script has written
-- before. Steps that free memory or finish work begin with this DEL, which needs none, so that they run on a full
-- server.
redis.call('DEL', prefix .. 'none')
