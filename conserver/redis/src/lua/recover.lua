-- Ends a worker's registration and puts back what it held. Needs place.lua before it.
--
-- ARGV: worker, dlq expiry (ms), strike all (1|0), signal, number of struck tokens, tokens...,
--       then pairs: list, its dead-letter list
-- Returns {found, returned, suspects, poison}: counts and ids.
--
-- The registration goes first: whatever the dead worker still sends finds nothing.

local worker, dlq_expiry, all, signal = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4]
local struck, at = {}, 6 + tonumber(ARGV[5])
for n = 6, at - 1 do struck[ARGV[n]] = true end
local dlqs = {}
for n = at, #ARGV, 2 do dlqs[ARGV[n]] = ARGV[n + 1] end

local registered = redis.call('ZREM', 'cs:workers', worker)
local alone = redis.call('HGET', 'cs:w:' .. worker, 'suspects') == '1'
local lists = redis.call('SMEMBERS', 'cs:wl:' .. worker)
if registered == 0 and #lists == 0 then return {0, 0, {}, {}} end
local now = redis.call('TIME')[1] * 1000

local returned, suspects, poison = 0, {}, {}
for _, list in ipairs(lists) do
  local held = 'cs:infl:{' .. list .. '}:' .. worker
  local tries_key = 'cs:tries:{' .. list .. '}'
  local entries = redis.call('LRANGE', held, 0, -1)
  -- Parked occurrences first: they belong behind the ones that were in flight.
  for _, entry in ipairs(entries) do
    local id = string.sub(entry, string.find(entry, '|', 1, true) + 1)
    redis.call('HDEL', 'cs:busy', id)
    unpark(id)
  end
  for k = #entries, 1, -1 do
    local entry = entries[k]
    local bar = string.find(entry, '|', 1, true)
    local token, id = string.sub(entry, 1, bar - 1), string.sub(entry, bar + 1)
    local tries = redis.call('HGET', tries_key, token)
    if all or struck[token] then
      local record = tries and cjson.decode(tries) or {}
      record.attempt = record.attempt or 0
      record.strikes = (record.strikes or 0) + 1
      record.alone = (record.alone or 0) + (alone and 1 or 0)
      if record.alone >= 2 then
        local text = 'the worker died of ' .. signal .. ' twice while it ran this vCon alone'
        bury(dlqs[list] or ('DLQ:' .. list), id, {reason = 'poison', error = text, list = list, signal = signal,
          attempt = record.strikes, worker = worker}, dlq_expiry)
        redis.call('HDEL', tries_key, token)
        poison[#poison + 1] = id
      else
        -- An empty list would be encoded as an object, which no reader expects.
        if record.saved and #record.saved == 0 then record.saved = nil end
        redis.call('HSET', tries_key, token, cjson.encode(record))
        redis.call('RPUSH', 'cs:suspect:{' .. list .. '}', entry)
        suspects[#suspects + 1] = id
      end
    elseif tries and alone then
      -- Was on the suspect lane and did nothing wrong this time: it stays there.
      redis.call('LPUSH', 'cs:suspect:{' .. list .. '}', entry)
      returned = returned + 1
    elseif tries then
      redis.call('ZADD', 'cs:retry:{' .. list .. '}', now, entry)
      returned = returned + 1
    else
      place('LPUSH', list, id)
      returned = returned + 1
    end
  end
  redis.call('DEL', held)
end
redis.call('DEL', 'cs:wl:' .. worker, 'cs:w:' .. worker)
return {1, returned, suspects, poison}
