-- Ends a worker's registration and puts back what it held. Needs place.lua before it.
--
-- ARGV: worker, dlq expiry (ms), strike all (1|0), signal, number of struck tokens, tokens...,
--       then pairs: list, its dead-letter list
-- Returns {found, returned, suspects, poison}: counts and ids.
--
-- The registration goes first: whatever the dead worker still sends finds nothing. Each entry leaves the in-flight
-- list after it stands where it goes to, so a recovery that broke off is finished by the next one.

local worker, all, signal = ARGV[1], ARGV[3] == '1', ARGV[4]
dlq_expiry = tonumber(ARGV[2])
local struck, at = {}, 6 + tonumber(ARGV[5])
for n = 6, at - 1 do struck[ARGV[n]] = true end
local dlqs = {}
for n = at, #ARGV, 2 do dlqs[ARGV[n]] = ARGV[n + 1] end

-- What cannot go on without these fails here, before the first write.
redis.call('HLEN', 'cs:busy')
redis.call('HLEN', 'cs:parked')
local alone = redis.call('HGET', 'cs:w:' .. worker, 'suspects') == '1'
local lists = redis.call('SMEMBERS', 'cs:wl:' .. worker)
local registered = redis.call('ZREM', 'cs:workers', worker)
if registered == 0 and #lists == 0 then return {0, 0, {}, {}} end
local now = redis.call('TIME')[1] * 1000

local returned, suspects, poison = 0, {}, {}

local function strike(list, entry, token, id, tries)
  local record = decode(tries)
  record.attempt = record.attempt or 0
  record.strikes = (record.strikes or 0) + 1
  record.alone = (record.alone or 0) + (alone and 1 or 0)
  -- What storages have is saved again: Lua's numbers would not keep the digest, nor its tables an empty array.
  record.saved, record.saved_digest = nil, nil
  if record.alone >= 2 then
    local text = 'the worker died of ' .. signal .. ' twice while it ran this vCon alone'
    bury(dlqs[list] or ('DLQ:' .. list), list, id, {reason = 'poison', error = text, list = list, signal = signal,
      attempt = record.strikes, worker = worker})
    redis.pcall('HDEL', 'cs:tries:{' .. list .. '}', token)
    poison[#poison + 1] = id
    return nil
  end
  table.insert(suspects, 1, id)
  return put('HSET', 'cs:tries:{' .. list .. '}', token, cjson.encode(record))
    or put('LPUSH', 'cs:suspect:{' .. list .. '}', entry)
end

local function put_back(list, entry)
  local token, id = split(entry)
  local tries = redis.pcall('HGET', 'cs:tries:{' .. list .. '}', token)
  if type(tries) ~= 'string' then tries = nil end
  local kind
  if all or struck[token] then
    kind = strike(list, entry, token, id, tries)
  elseif alone then
    -- A suspect whose worker ended for another reason: nothing is proved, it stays in its lane.
    kind = put('LPUSH', 'cs:suspect:{' .. list .. '}', entry)
    returned = returned + 1
  elseif tries then
    kind = put('ZADD', 'cs:retry:{' .. list .. '}', now, entry)
    returned = returned + 1
  else
    give_back(list, id)
    returned = returned + 1
  end
  if kind then
    local text = 'a key of ours for `' .. list .. '` holds a ' .. kind
    bury(dlqs[list] or ('DLQ:' .. list), list, id, {reason = 'wrong-type', error = text, list = list, worker = worker})
  end
end

local function held_of(list)
  local entries = redis.pcall('LRANGE', 'cs:infl:{' .. list .. '}:' .. worker, 0, -1)
  return entries.err and {} or entries
end

-- Parked occurrences first: they belong behind the ones that were in flight.
table.sort(lists)
for n = #lists, 1, -1 do
  local entries = held_of(lists[n])
  for k = #entries, 1, -1 do
    local _, id = split(entries[k])
    if redis.call('HGET', 'cs:busy', id) == worker then
      redis.call('HDEL', 'cs:busy', id)
      unpark(id)
    end
  end
end
for _, list in ipairs(lists) do
  local entries = held_of(list)
  for k = #entries, 1, -1 do
    put_back(list, entries[k])
    redis.call('RPOP', 'cs:infl:{' .. list .. '}:' .. worker)
  end
end
redis.call('DEL', 'cs:wl:' .. worker, 'cs:w:' .. worker)
return {1, returned, suspects, poison}
