-- resolve(n, addresses, keep) -> conversation id. The first address a customer was seen under is the
-- conversation's id; every other one is an alias. Two conversations that turn out to be one customer are
-- joined once the younger has nothing waiting: nothing is ever moved.
local function remember(n, address, c, keep)
  redis.call('SET', 'wa:who:' .. n .. ':' .. address, c, 'EX', keep)
  local known = redis.call('HGET', 'wa:contact:' .. c, 'addresses') or ''
  if not string.find(' ' .. known .. ' ', ' ' .. address .. ' ', 1, true) then
    redis.call('HSET', 'wa:contact:' .. c, 'addresses', known == '' and address or known .. ' ' .. address)
  end
end

local function join(n, first, second, keep)
  local function since(c) return tonumber(redis.call('HGET', 'wa:contact:' .. c, 'since') or now) end
  local elder, younger = first, second
  if since(second) < since(first) then elder, younger = second, first end
  if redis.call('EXISTS', 'wa:box:' .. younger, 'wa:q:' .. younger) > 0 then return first end
  local known = redis.call('HGET', 'wa:contact:' .. younger, 'addresses') or ''
  for address in string.gmatch(known, '%S+') do remember(n, address, elder, keep) end
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
  if not c then
    c = n .. ':' .. addresses[1]
    redis.call('HSETNX', 'wa:contact:' .. c, 'since', now)
  end
  for _, address in ipairs(addresses) do
    local who = 'wa:who:' .. n .. ':' .. address
    local known = redis.call('GET', who)
    if not known or (known == c and not renewed(who, keep)) then remember(n, address, c, keep) end
  end
  renew('wa:contact:' .. c, keep)
  return c
end
