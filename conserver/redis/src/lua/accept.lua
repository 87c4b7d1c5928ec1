-- Takes one document in: text, search keys, trace context, places on lists. Lua does not roll back: what may fail comes
-- first, and is undone where something of it does. That costs less than to look at every key before it is written.
--
-- ARGV: 1 id, 2 mode (s: text here, n: a staged key), 3 payload, 4 time to live (ms, 0: for ever), 5 sorted set,
--   6 score or '', 7 expiry of search sets (s), 8 context or '', 9 expiry of contexts (s), 10 name of the request or '',
--   11 how long it is remembered (ms), 12 number of lists; then for each list its name and its bound (or ''); then
--   the search sets.
-- Returns 1 stored, 0 repeated, or a text: what is wrong, after one of `type `, `full `, `once `, `gone `.

local id, mode, payload, context = ARGV[1], ARGV[2], ARGV[3], ARGV[8]
local key = 'vcon:' .. id
local last_list = 12 + 2 * tonumber(ARGV[12])

local function refuse(why)
  if mode == 'n' then redis.call('DEL', payload) end
  return why
end

local once = ARGV[10] ~= '' and 'cs:once:' .. ARGV[10]
if once then
  local known = redis.call('GET', once)
  if known == id then
    refuse()
    return 0
  end
  if known then return refuse('once ' .. known) end
end
if mode == 'n' and redis.call('EXISTS', payload) == 0 then return 'gone ' end

local added = {}
for at = 13, last_list, 2 do
  local list, bound = ARGV[at], tonumber(ARGV[at + 1])
  if bound then
    local length = redis.pcall('LLEN', list)
    if type(length) == 'table' then return refuse('type ' .. list) end
    added[list] = (added[list] or 0) + 1
    if length + added[list] > bound then return refuse('full ' .. list) end
  end
  if context ~= '' then
    local waiting = 'context:' .. list .. ':' .. id
    if type(redis.pcall('LLEN', waiting)) == 'table' then return refuse('type ' .. waiting) end
  end
end

local new = {}
local function undo(last_set, last_place)
  for at = last_list + 1, last_set do
    if new[at] == 1 then redis.call('SREM', ARGV[at], id) end
  end
  for at = 13, last_place, 2 do redis.call('RPOP', ARGV[at]) end
end

-- A key of another type refuses the document; everything else is no fault of it, and ends the script.
local function fail(answer, name)
  if string.find(answer.err, 'WRONGTYPE', 1, true) then return refuse('type ' .. name) end
  return redis.error_reply(answer.err)
end

for at = last_list + 1, #ARGV do
  new[at] = redis.pcall('SADD', ARGV[at], id)
  if type(new[at]) == 'table' then
    undo(at, 0)
    return fail(new[at], ARGV[at])
  end
end
for at = 13, last_list, 2 do
  local length = redis.pcall('RPUSH', ARGV[at], id)
  if type(length) == 'table' then
    undo(#ARGV, at - 2)
    return fail(length, ARGV[at])
  end
end
if ARGV[6] ~= '' then
  local scored = redis.pcall('ZADD', ARGV[5], ARGV[6], key)
  if type(scored) == 'table' then
    undo(#ARGV, last_list)
    return fail(scored, ARGV[5])
  end
end

if mode == 'n' then
  redis.call('RENAME', payload, key)
  if ARGV[4] == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[4]) end
elseif ARGV[4] == '0' then
  redis.call('SET', key, payload)
else
  redis.call('SET', key, payload, 'PX', ARGV[4])
end
-- A link of an earlier run may have wanted the old one to expire.
redis.pcall('ZREM', 'cs:expiring', id)
for at = last_list + 1, #ARGV do redis.call('EXPIRE', ARGV[at], ARGV[7]) end
if context ~= '' then
  for at = 13, last_list, 2 do
    local waiting = 'context:' .. ARGV[at] .. ':' .. id
    redis.call('RPUSH', waiting, context)
    redis.call('EXPIRE', waiting, ARGV[9])
  end
end
if once then redis.call('SET', once, id, 'PX', ARGV[11]) end
return 1
