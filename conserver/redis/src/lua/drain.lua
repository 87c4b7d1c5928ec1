-- Returns delayed, suspect and parked ids to the plain lists. Needs place.lua before it.
--
-- ARGV: limit, dlq expiry (ms), lists...
-- Returns {delayed, suspects, parked, more}: more is 1 if the limit was reached.
--
-- Parked ids stay while their first occurrence is in flight: its settlement returns them. A busy mark of a worker
-- that is gone is none.

local limit, names = tonumber(ARGV[1]), {}
dlq_expiry = tonumber(ARGV[2])
for n = 3, #ARGV do names[#names + 1] = ARGV[n] end
local delayed, suspects, parked, left = 0, 0, 0, limit

local marks = redis.call('HGETALL', 'cs:busy')
for n = 1, #marks, 2 do
  if not redis.call('ZSCORE', 'cs:workers', marks[n + 1]) and redis.call('EXISTS', 'cs:wl:' .. marks[n + 1]) == 0 then
    redis.call('HDEL', 'cs:busy', marks[n])
  end
end

-- What is parked belongs behind what was taken before it, so it returns first.
local of_ours = {}
for _, list in ipairs(names) do of_ours[list] = true end
local all = redis.call('HGETALL', 'cs:parked')
for n = 1, #all, 2 do
  local id, runs = all[n], decode(all[n + 1])
  if left > 0 and redis.call('HEXISTS', 'cs:busy', id) == 0 then
    local kept = {}
    for k = #runs, 1, -1 do
      if of_ours[runs[k][1]] then
        give_back(runs[k][1], id, runs[k][2])
        parked = parked + runs[k][2]
        left = left - runs[k][2]
      else
        table.insert(kept, 1, runs[k])
      end
    end
    if #kept == 0 then
      redis.call('HDEL', 'cs:parked', id)
    elseif #kept < #runs then
      redis.call('HSET', 'cs:parked', id, cjson.encode(kept))
    end
  end
end

-- The last entries of a key first, so that its first one ends at the head.
local function return_all(list, entries, forget)
  for _, entry in ipairs(entries) do
    local token, id = split(entry)
    give_back(list, id)
    redis.pcall('HDEL', 'cs:tries:{' .. list .. '}', token)
    forget(entry)
    left = left - 1
  end
  return #entries
end

for _, list in ipairs(names) do
  if left > 0 then
    local key = 'cs:retry:{' .. list .. '}'
    delayed = delayed + return_all(list, redis.call('ZREVRANGE', key, 0, left - 1),
      function(entry) redis.call('ZREM', key, entry) end)
  end
  if left > 0 then
    local key = 'cs:suspect:{' .. list .. '}'
    local entries, turned = redis.call('LRANGE', key, -left, -1), {}
    for k = #entries, 1, -1 do turned[#turned + 1] = entries[k] end
    suspects = suspects + return_all(list, turned, function() redis.call('RPOP', key) end)
  end
end
return {delayed, suspects, parked, left <= 0 and 1 or 0}
