-- resolve(number, addresses, retention) -> conversation. The first address a customer was seen under is the
-- conversation's id; every other one is an alias. Two conversations that turn out to be one customer are joined once the
-- younger has nothing waiting: nothing is ever moved.

-- Until two are joined each names the other's address, too: whoever forgets either finds both.
local function add_address(conversation, address)
  local contact = prefix .. 'contact:' .. conversation
  local known = redis.call('HGET', contact, 'addresses') or ''
  if not string.find(' ' .. known .. ' ', ' ' .. address .. ' ', 1, true) then
    redis.call('HSET', contact, 'addresses', known == '' and address or known .. ' ' .. address)
  end
end

local function alias_key(number, address) return prefix .. 'alias:' .. number .. ':' .. address end

local function set_alias(number, address, conversation, retention)
  redis.call('SET', alias_key(number, address), conversation, 'EX', retention)
  add_address(conversation, address)
end

-- What was known of the younger is true of the customer: the later times hold, and a name where there is none.
local function merge_contact(elder, younger)
  local before, more = prefix .. 'contact:' .. elder, prefix .. 'contact:' .. younger
  for _, name in ipairs({ 'last_in', 'window_end', 'unsupported_at' }) do
    local at = tonumber(redis.call('HGET', more, name) or 0)
    if at > tonumber(redis.call('HGET', before, name) or 0) then redis.call('HSET', before, name, at) end
  end
  local name = redis.call('HGET', more, 'name')
  if name then redis.call('HSETNX', before, 'name', name) end
end

local function join(number, first, second, retention)
  local function since(conversation)
    return tonumber(redis.call('HGET', prefix .. 'contact:' .. conversation, 'since') or now)
  end
  local elder, younger = first, second
  if since(second) < since(first) then elder, younger = second, first end
  if redis.call('EXISTS', prefix .. 'mailbox:' .. younger, prefix .. 'lane:' .. younger) > 0 then return first end
  local known = redis.call('HGET', prefix .. 'contact:' .. younger, 'addresses') or ''
  for address in string.gmatch(known, '%S+') do
    -- One of a third conversation, which is still to be joined, stays its own.
    local owner = redis.call('GET', alias_key(number, address))
    if not owner or owner == younger then
      set_alias(number, address, elder, retention)
    else
      add_address(elder, address)
    end
  end
  merge_contact(elder, younger)
  redis.call('DEL', prefix .. 'contact:' .. younger)
  return elder
end

local function resolve(number, addresses, retention)
  local conversation
  for _, address in ipairs(addresses) do
    local known = redis.call('GET', alias_key(number, address))
    if known and not conversation then
      conversation = known
    elseif known and known ~= conversation then
      conversation = join(number, conversation, known, retention)
    end
  end
  conversation = conversation or number .. ':' .. addresses[1]
  local contact = prefix .. 'contact:' .. conversation
  -- A contact may end before its aliases do, by as much as a lifetime is not refreshed: then it begins anew.
  local new = redis.call('HSETNX', contact, 'since', now) == 1
  for _, address in ipairs(addresses) do
    local alias = alias_key(number, address)
    local known = redis.call('GET', alias)
    if not known or (known == conversation and (new or not is_fresh(alias, retention))) then
      set_alias(number, address, conversation, retention)
    elseif known ~= conversation then
      add_address(conversation, address)
    end
  end
  refresh_ttl(contact, retention)
  return conversation
end
