-- A server without memory left refuses a script at its first write that needs some, and nothing after one that needs
-- none. What frees memory, or ends work that was begun, starts with this one: a full server still lets work end.
redis.call('DEL', prefix .. 'none')
