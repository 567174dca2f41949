-- resolve(n, addresses, keep) -> conversation id. The first address a customer was seen under is the
-- conversation's id; every other one is an alias. Two conversations that turn out to be one customer are
-- joined once the younger has nothing waiting: nothing is ever moved.

-- Until two are joined one names the other's address, too: whoever forgets either finds both.
local function note(c, address)
  local known = redis.call('HGET', 'wa:contact:' .. c, 'addresses') or ''
  if not string.find(' ' .. known .. ' ', ' ' .. address .. ' ', 1, true) then
    redis.call('HSET', 'wa:contact:' .. c, 'addresses', known == '' and address or known .. ' ' .. address)
  end
end

local function remember(n, address, c, keep)
  redis.call('SET', 'wa:who:' .. n .. ':' .. address, c, 'EX', keep)
  note(c, address)
end

-- What was known of the younger is true of the customer: the later times hold, and a name where there is none.
local function inherit(elder, younger)
  local before, more = 'wa:contact:' .. elder, 'wa:contact:' .. younger
  for _, name in ipairs({ 'last_in', 'window_end', 'unsupported_at' }) do
    local at = tonumber(redis.call('HGET', more, name) or 0)
    if at > tonumber(redis.call('HGET', before, name) or 0) then redis.call('HSET', before, name, at) end
  end
  local name = redis.call('HGET', more, 'name')
  if name then redis.call('HSETNX', before, 'name', name) end
end

local function join(n, first, second, keep)
  local function since(c) return tonumber(redis.call('HGET', 'wa:contact:' .. c, 'since') or now) end
  local elder, younger = first, second
  if since(second) < since(first) then elder, younger = second, first end
  if redis.call('EXISTS', 'wa:box:' .. younger, 'wa:q:' .. younger) > 0 then return first end
  local known = redis.call('HGET', 'wa:contact:' .. younger, 'addresses') or ''
  for address in string.gmatch(known, '%S+') do
    -- One of a third conversation, which is still to be joined, stays its own.
    local c = redis.call('GET', 'wa:who:' .. n .. ':' .. address)
    if not c or c == younger then remember(n, address, elder, keep) else note(elder, address) end
  end
  inherit(elder, younger)
  redis.call('DEL', 'wa:contact:' .. younger)
  return elder
end

local function resolve(n, addresses, keep)
  local c
  for _, address in ipairs(addresses) do
    local known = redis.call('GET', 'wa:who:' .. n .. ':' .. address)
    if known and not c then
      c = known
    elseif known and known ~= c then
      c = join(n, c, known, keep)
    end
  end
  c = c or n .. ':' .. addresses[1]
  -- A contact may end before its aliases do, by as much as a lifetime is not renewed: then it begins anew.
  local new = redis.call('HSETNX', 'wa:contact:' .. c, 'since', now) == 1
  for _, address in ipairs(addresses) do
    local who = 'wa:who:' .. n .. ':' .. address
    local known = redis.call('GET', who)
    if not known or (known == c and (new or not renewed(who, keep))) then
      remember(n, address, c, keep)
    elseif known ~= c then
      note(c, address)
    end
  end
  renew('wa:contact:' .. c, keep)
  return c
end
