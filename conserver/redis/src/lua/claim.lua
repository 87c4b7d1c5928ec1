-- Takes ids for a worker: due retries first, then ids from the lists by their quotas.
--
-- ARGV: worker, room, lane (main|suspects), number of lists, then per list: name, quota, index of its room;
--       then the rooms: how many ids the lists that share one may bring together.
-- Returns {status, lengths, entries, extras}
--   status   1 ok, 0 lease ended, -1 worker unknown
--   lengths  per list; -1 if the key is no list
--   entries  "<list index>\n<token>\n<document bytes or -1>\n<id>"
--   extras   entry index, context or false, tries or false: only for entries that have one
--
-- Reads first, writes last: a failure before the first write changes nothing, and the ids leave their list
-- only after they stand in the in-flight list. Writes nothing when there is nothing to take.

local worker, room, lane, count = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local lease = redis.call('ZSCORE', 'cs:workers', worker)
if not lease then return {-1, {}, {}, {}} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(lease) < now then return {0, {}, {}, {}} end

local names, quota, shared, rooms, paused, lengths = {}, {}, {}, {}, {}, {}
for i = 1, count do
  names[i] = ARGV[2 + 3 * i]
  quota[i] = tonumber(ARGV[3 + 3 * i])
  shared[i] = tonumber(ARGV[4 + 3 * i])
end
for n = 5 + 3 * count, #ARGV do rooms[#rooms + 1] = tonumber(ARGV[n]) end
if count > 0 then
  paused = redis.call('SMISMEMBER', 'cs:paused', unpack(names))
end
for i = 1, count do
  local length = redis.pcall('LLEN', names[i])
  lengths[i] = type(length) == 'number' and length or -1
end

-- One id of the suspect lane, for the one worker of its host that may serve it.
if lane == 'suspects' then
  local lock = 'cs:lane:' .. (redis.call('HGET', 'cs:w:' .. worker, 'realm') or '')
  local holder = redis.call('GET', lock)
  if holder and holder ~= worker then return {1, lengths, {}, {}} end
  for i = 1, count do
    local suspects = 'cs:suspect:{' .. names[i] .. '}'
    local entry = redis.call('LINDEX', suspects, 0)
    if entry and paused[i] == 0 then
      local bar = string.find(entry, '|', 1, true)
      local token, id = string.sub(entry, 1, bar - 1), string.sub(entry, bar + 1)
      if not redis.call('HGET', 'cs:busy', id) then
        local bytes = redis.pcall('STRLEN', 'vcon:' .. id)
        local context = redis.pcall('LINDEX', 'context:' .. names[i] .. ':' .. id, 0)
        if type(context) ~= 'string' then context = false end
        redis.call('SET', lock, worker, 'PX', 10000)
        redis.call('SADD', 'cs:wl:' .. worker, names[i])
        redis.call('RPUSH', 'cs:infl:{' .. names[i] .. '}:' .. worker, entry)
        redis.call('HSET', 'cs:busy', id, worker)
        redis.call('LPOP', suspects)
        local line = i .. '\n' .. token .. '\n' .. (type(bytes) == 'number' and bytes or -1) .. '\n' .. id
        return {1, lengths, {line}, {1, context, redis.call('HGET', 'cs:tries:{' .. names[i] .. '}', token)}}
      end
    end
  end
  return {1, lengths, {}, {}}
end

local entries, extras = {}, {}
local taken_now = {} -- ids taken by this very claim

local function add(i, token, id, tries)
  local n = #entries + 1
  local bytes = redis.pcall('STRLEN', 'vcon:' .. id)
  entries[n] = i .. '\n' .. token .. '\n' .. (type(bytes) == 'number' and bytes or -1) .. '\n' .. id
  taken_now[id] = true
  return n, tries
end

-- Due retries: at most half the room, so that a storm of them cannot starve what is new.
local retry_room = math.max(1, math.floor(room / 2))
for i = 1, count do
  local most = math.min(retry_room, room, rooms[shared[i]])
  if most > 0 and paused[i] == 0 then
    local key = 'cs:retry:{' .. names[i] .. '}'
    local due = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, most)
    for _, entry in ipairs(due) do
      local bar = string.find(entry, '|', 1, true)
      local token, id = string.sub(entry, 1, bar - 1), string.sub(entry, bar + 1)
      if taken_now[id] or redis.call('HEXISTS', 'cs:busy', id) == 1 then
        -- Another occurrence runs: look again soon.
        redis.call('ZADD', key, now + 1000, entry)
      else
        local n = add(i, token, id)
        local context = redis.pcall('LINDEX', 'context:' .. names[i] .. ':' .. id, 0)
        if type(context) ~= 'string' then context = false end
        extras[#extras + 1] = n
        extras[#extras + 1] = context
        extras[#extras + 1] = redis.call('HGET', 'cs:tries:{' .. names[i] .. '}', token)
        redis.call('SADD', 'cs:wl:' .. worker, names[i])
        redis.call('RPUSH', 'cs:infl:{' .. names[i] .. '}:' .. worker, entry)
        redis.call('HSET', 'cs:busy', id, worker)
        redis.call('ZREM', key, entry)
        retry_room = retry_room - 1
        room = room - 1
        rooms[shared[i]] = rooms[shared[i]] - 1
      end
    end
  end
end

-- How many from each list: its quota first, what is left to the lists in order.
local want, left = {}, room
for i = 1, count do
  local n = 0
  if paused[i] == 0 and lengths[i] > 0 then n = math.min(quota[i], lengths[i], left, rooms[shared[i]]) end
  want[i] = n
  left = left - n
  rooms[shared[i]] = rooms[shared[i]] - n
end
for i = 1, count do
  if left > 0 and paused[i] == 0 and lengths[i] > want[i] then
    local more = math.min(left, lengths[i] - want[i], rooms[shared[i]])
    want[i] = want[i] + more
    left = left - more
    rooms[shared[i]] = rooms[shared[i]] - more
  end
end

for i = 1, count do
  if want[i] > 0 then
    local list = names[i]
    local ids = redis.call('LRANGE', list, 0, want[i] - 1)
    local holders = redis.call('HMGET', 'cs:busy', unpack(ids))
    local token = redis.call('INCRBY', 'cs:seq', #ids) - #ids
    local held, busy, parked, contexts, numbers = {}, {}, {}, {}, {}
    for k, id in ipairs(ids) do
      if holders[k] or taken_now[id] then
        parked[#parked + 1] = id
      else
        token = token + 1
        local n = add(i, token, id)
        held[#held + 1] = token .. '|' .. id
        busy[#busy + 1] = id
        busy[#busy + 1] = worker
        contexts[#contexts + 1] = 'context:' .. list .. ':' .. id
        numbers[#numbers + 1] = n
      end
    end
    if #held > 0 then
      if redis.call('EXISTS', unpack(contexts)) > 0 then
        for k, key in ipairs(contexts) do
          local context = redis.pcall('LINDEX', key, 0)
          if type(context) == 'string' then
            extras[#extras + 1] = numbers[k]
            extras[#extras + 1] = context
            extras[#extras + 1] = false
          end
        end
      end
      redis.call('SADD', 'cs:wl:' .. worker, list)
      redis.call('RPUSH', 'cs:infl:{' .. list .. '}:' .. worker, unpack(held))
      redis.call('HSET', 'cs:busy', unpack(busy))
    end
    for _, id in ipairs(parked) do
      local lists = redis.call('HGET', 'cs:parked', id)
      lists = lists and cjson.decode(lists) or {}
      lists[#lists + 1] = list
      redis.call('HSET', 'cs:parked', id, cjson.encode(lists))
    end
    redis.call('LPOP', list, #ids)
    lengths[i] = lengths[i] - #ids
  end
end

return {1, lengths, entries, extras}
