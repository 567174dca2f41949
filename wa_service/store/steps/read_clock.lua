-- Return {the server's time, the store's own time}, both in ms.
-- include: allow_when_full clock
return { wall, now }
