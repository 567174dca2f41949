-- now: the server's time in ms. Every step reads it once, so that all of a step happens at one instant.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
