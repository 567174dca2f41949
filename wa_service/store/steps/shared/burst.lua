-- A burst: what a customer writes within a moment is handled together. An event's first field is its role: 1 waits for
-- more, 2 is due at once and ends the burst, any other event is handled alone. conv:<conversation> has `burst_since`
-- and `burst_due` (ms) of the burst that was not taken yet, and `burst`: the digests of the events that are handled
-- with the head that was taken.
local MOST_IN_BURST, MOST_BURST_BYTES = 20, 65536

local function burst_role(event) return string.match(event, '^{"b":([12]),') end

-- begin_burst(conversation, head) -> the events to be handled with the head.
local function begin_burst(conversation, head)
  local behind, bytes = {}, #head
  if burst_role(head) ~= '1' then return behind end
  for i, event in ipairs(redis.call('ZRANGE', prefix .. 'mailbox:' .. conversation, 0, MOST_IN_BURST - 1)) do
    local role = burst_role(event)
    bytes = bytes + #event
    if i > 1 then
      if not role or bytes > MOST_BURST_BYTES then break end
      behind[#behind + 1] = event
      if role == '2' then break end
    end
  end
  return behind
end

-- burst_again(conversation, digests) -> the events of a burst that was taken before, without those that arrived since.
local function burst_again(conversation, digests)
  local behind = {}
  if not digests then return behind end
  for _, event in ipairs(redis.call('ZRANGE', prefix .. 'mailbox:' .. conversation, 0, -1)) do
    if string.find(digests, redis.sha1hex(event), 1, true) then behind[#behind + 1] = event end
  end
  return behind
end

local function digests_of(events)
  local digests = {}
  for i, event in ipairs(events) do digests[i] = redis.sha1hex(event) end
  return table.concat(digests, ' ')
end
