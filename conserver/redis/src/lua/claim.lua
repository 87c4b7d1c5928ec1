-- Takes ids for a worker: due retries first, then ids from the lists by their quotas.
--
-- ARGV: worker, room, lane (main|suspects|retries), number of lists, then per list: name, quota, index of its room;
--       then the rooms: how many ids the lists that share one may bring together.
-- Returns {status, lengths, entries, extras, broken, parked}
--   status   1 ok, 0 lease ended, -1 worker unknown
--   lengths  per list; -1 if the key is no list
--   entries  "<list index>\n<document bytes or -1>\n<token>|<id>"
--   extras   entry index, context or false, tries or false: only for entries that have one
--   broken   indexes of lists of which a key of ours holds another type: nothing was taken from them
--   parked   how many occurrences were set aside because their id is running
--
-- Reads first, writes last: a failure before the first write changes nothing, and the ids leave their list
-- only after they stand in the in-flight list. Writes nothing when there is nothing to take.

local worker, room, lane, count = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local lease = redis.call('ZSCORE', 'cs:workers', worker)
if not lease then return {-1, {}, {}, {}, {}, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(lease) < now then return {0, {}, {}, {}, {}, 0} end

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

local entries, extras, broken, parked_now = {}, {}, {}, 0

-- Notes an entry for the answer.
local function answer(i, entry, id, context, tries)
  local bytes = redis.pcall('STRLEN', 'vcon:' .. id)
  local n = #entries + 1
  entries[n] = i .. '\n' .. (type(bytes) == 'number' and bytes or -1) .. '\n' .. entry
  if context or tries then
    extras[#extras + 1] = n
    extras[#extras + 1] = context
    extras[#extras + 1] = tries
  end
end

local function context_of(i, id)
  local context = redis.pcall('LINDEX', 'context:' .. names[i] .. ':' .. id, 0)
  return type(context) == 'string' and context
end

-- Takes an entry that waited in a key of ours; `forget` removes it there.
local function take_entry(i, entry, forget)
  local bar = string.find(entry, '|', 1, true)
  local token, id = string.sub(entry, 1, bar - 1), string.sub(entry, bar + 1)
  if redis.call('HEXISTS', 'cs:busy', id) == 1 then return false end
  local tries = redis.call('HGET', 'cs:tries:{' .. names[i] .. '}', token)
  redis.call('SADD', 'cs:wl:' .. worker, names[i])
  redis.call('RPUSH', 'cs:infl:{' .. names[i] .. '}:' .. worker, entry)
  redis.call('HSET', 'cs:busy', id, worker)
  forget()
  answer(i, entry, id, context_of(i, id), tries)
  return true
end

-- Runs one step for one list; a key of a wrong type spoils that list only.
local function guarded(step, i)
  local ok, problem = pcall(step, i)
  if ok then return problem end
  problem = type(problem) == 'table' and problem.err or tostring(problem)
  if not string.find(problem, 'WRONGTYPE', 1, true) then error(problem, 0) end
  if broken[#broken] ~= i then broken[#broken + 1] = i end
  return nil
end

-- One id of the suspect lane, for the one worker of its host that serves it.
if lane == 'suspects' then
  local lock = 'cs:lane:' .. (redis.call('HGET', 'cs:w:' .. worker, 'realm') or '')
  local holder = redis.pcall('GET', lock)
  if type(holder) == 'string' and holder ~= worker and redis.call('ZSCORE', 'cs:workers', holder) then
    for _, list in ipairs(redis.call('SMEMBERS', 'cs:wl:' .. holder)) do
      local held = redis.pcall('LLEN', 'cs:infl:{' .. list .. '}:' .. holder)
      if held ~= 0 then return {1, lengths, {}, {}, {}, 0} end
    end
  end
  local function take_suspect(i)
    local suspects = 'cs:suspect:{' .. names[i] .. '}'
    local entry = redis.call('LINDEX', suspects, 0)
    return entry and paused[i] == 0 and take_entry(i, entry, function()
      redis.call('SET', lock, worker, 'PX', 86400000)
      redis.call('LPOP', suspects)
    end)
  end
  for i = 1, count do
    if guarded(take_suspect, i) then break end
  end
  return {1, lengths, entries, extras, broken, 0}
end

-- Due retries: at most half of a room while its lists have ids, so that a storm of them cannot starve what is
-- new. Half of an odd number is rounded by the clock: both get their turn where there is one place only.
local function half(places) return math.floor((places + time[2] % 2) / 2) end

local fresh, most = {}, {}
for r = 1, #rooms do fresh[r] = 0 end
if lane == 'main' then
  for i = 1, count do
    if paused[i] == 0 and lengths[i] > 0 then fresh[shared[i]] = fresh[shared[i]] + lengths[i] end
  end
end
for r = 1, #rooms do most[r] = math.max(half(rooms[r]), rooms[r] - fresh[r]) end

local function take_retries(i)
  local r = shared[i]
  local places = math.min(most[r], rooms[r], room)
  if paused[i] ~= 0 or places <= 0 then return end
  local key = 'cs:retry:{' .. names[i] .. '}'
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, places)) do
    if take_entry(i, entry, function() redis.call('ZREM', key, entry) end) then
      most[r], rooms[r], room = most[r] - 1, rooms[r] - 1, room - 1
    else
      -- Another occurrence runs: look again soon, and let those behind it pass.
      redis.call('ZADD', key, now + 1000, entry)
    end
  end
end
-- One look for all lists: mostly nothing is delayed anywhere, and a claim may ask for many idle lists beside a busy one.
local delayed = {}
for i = 1, count do delayed[i] = 'cs:retry:{' .. names[i] .. '}' end
if count > 0 and redis.call('EXISTS', unpack(delayed)) > 0 then
  for i = 1, count do guarded(take_retries, i) end
end
if lane == 'retries' then return {1, lengths, entries, extras, broken, 0} end

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

local function take_new(i)
  local list = names[i]
  local ids = redis.call('LRANGE', list, 0, want[i] - 1)
  if #ids == 0 then return end
  local holders = redis.call('HMGET', 'cs:busy', unpack(ids))
  local taken, contexts, mine, parked = {}, {}, {}, {}
  for k, id in ipairs(ids) do
    if holders[k] or mine[id] then
      if not parked[id] then
        local runs = redis.call('HGET', 'cs:parked', id)
        local ok, known = pcall(cjson.decode, runs or '[]')
        parked[id] = ok and type(known) == 'table' and known or {}
      end
      local runs = parked[id]
      if #runs > 0 and runs[#runs][1] == list then
        runs[#runs][2] = runs[#runs][2] + 1
      else
        runs[#runs + 1] = {list, 1}
      end
    else
      mine[id] = true
      taken[#taken + 1] = id
      contexts[#contexts + 1] = 'context:' .. list .. ':' .. id
    end
  end
  if #taken > 0 then
    local token = redis.call('INCRBY', 'cs:seq', #taken) - #taken
    local held, busy = {}, {}
    for k, id in ipairs(taken) do
      held[k] = (token + k) .. '|' .. id
      busy[2 * k - 1] = id
      busy[2 * k] = worker
    end
    redis.call('SADD', 'cs:wl:' .. worker, list)
    redis.call('RPUSH', 'cs:infl:{' .. list .. '}:' .. worker, unpack(held))
    redis.call('HSET', 'cs:busy', unpack(busy))
    local any = redis.call('EXISTS', unpack(contexts)) > 0
    for k, id in ipairs(taken) do
      answer(i, held[k], id, any and context_of(i, id), false)
    end
  end
  for id, runs in pairs(parked) do redis.call('HSET', 'cs:parked', id, cjson.encode(runs)) end
  redis.call('LPOP', list, #ids)
  lengths[i] = lengths[i] - #ids
  parked_now = parked_now + #ids - #taken
end
for i = 1, count do
  if want[i] > 0 then guarded(take_new, i) end
end

return {1, lengths, entries, extras, broken, parked_now}
