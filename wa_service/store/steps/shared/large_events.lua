-- append_bounded(kind, conversation, event, retention) -> its id in the stream, what the stream stores of it, and
-- whether content was lost. The stream stores an event of up to 16 KB whole; of a larger one it stores the short
-- values, and `large_event` the whole. Beyond 1 MiB a day of one conversation only short values are stored, and no
-- `large_event`.
local LARGEST_EVENT, MOST_BYTES_A_DAY = 16384, 1048576

local function short_values_of(object, bytes)
  local kept = { left_out = true, bytes = bytes }
  for name, value in pairs(type(object) == 'table' and object or {}) do
    local kind = type(value)
    if (kind == 'string' and #value <= 256) or kind == 'number' or kind == 'boolean' then kept[name] = value end
  end
  return kept
end

local function short_values(event)
  local stored = cjson.decode(event)
  stored.m, stored.p = short_values_of(stored.m, #event), cjson.null
  return cjson.encode(stored)
end

-- short_object(json) -> the JSON of an object's short values, or of {left_out, bytes} where the JSON cannot be read.
local function short_object(json)
  local ok, object = pcall(cjson.decode, json)
  return cjson.encode(short_values_of(ok and object or nil, #json))
end

local function append_bounded(kind, conversation, event, retention)
  local key = prefix .. 'received_bytes:' .. conversation
  local bytes = redis.call('INCRBY', key, #event)
  if bytes == #event then redis.call('EXPIRE', key, 86400) end
  local is_large, is_over = #event > LARGEST_EVENT, bytes > MOST_BYTES_A_DAY
  local kept = (is_large or is_over) and short_values(event) or event
  local place = append_event(kind, conversation, kept, retention)
  if is_large and not is_over then
    local whole = prefix .. 'large_event:' .. place
    redis.call('HSET', whole, 'c', conversation, 'event', event)
    redis.call('EXPIRE', whole, retention)
  end
  return place, kept, is_large and is_over
end

-- forget_events(places): delete events; places: their ids in the stream, separated by spaces. A mark may have a word.
local function forget_events(places)
  for place in string.gmatch(places, '%d+%-%d+') do
    redis.call('XDEL', prefix .. 'events', place)
    redis.call('DEL', prefix .. 'large_event:' .. place)
  end
end
