-- Returns delayed, suspect and parked ids to the plain lists. Needs place.lua before it.
--
-- ARGV: limit, lists...
-- Returns {delayed, suspects, parked, more}: more is 1 if the limit was reached.
--
-- Parked ids stay while their first occurrence is in flight: its settlement returns them.

local limit, names = tonumber(ARGV[1]), {}
for n = 2, #ARGV do names[#names + 1] = ARGV[n] end
local delayed, suspects, parked, left = 0, 0, 0, limit

for _, list in ipairs(names) do
  local tries = 'cs:tries:{' .. list .. '}'
  local function give(entry)
    local bar = string.find(entry, '|', 1, true)
    place('LPUSH', list, string.sub(entry, bar + 1))
    redis.call('HDEL', tries, string.sub(entry, 1, bar - 1))
    left = left - 1
  end
  local key = 'cs:retry:{' .. list .. '}'
  -- The one due last first, so that the one due first ends at the head.
  for _, entry in ipairs(redis.call('ZREVRANGE', key, 0, math.max(0, left) - 1)) do
    if left <= 0 then break end
    give(entry)
    redis.call('ZREM', key, entry)
    delayed = delayed + 1
  end
  key = 'cs:suspect:{' .. list .. '}'
  for _, entry in ipairs(redis.call('LRANGE', key, 0, math.max(0, left) - 1)) do
    if left <= 0 then break end
    give(entry)
    redis.call('LREM', key, 1, entry)
    suspects = suspects + 1
  end
end

local of_ours = {}
for _, list in ipairs(names) do of_ours[list] = true end
local all = redis.call('HGETALL', 'cs:parked')
for n = 1, #all, 2 do
  local id, lists = all[n], cjson.decode(all[n + 1])
  if redis.call('HEXISTS', 'cs:busy', id) == 0 and left > 0 then
    local kept = {}
    for k = #lists, 1, -1 do
      if of_ours[lists[k]] then
        place('LPUSH', lists[k], id)
        parked = parked + 1
        left = left - 1
      else
        table.insert(kept, 1, lists[k])
      end
    end
    if #kept == 0 then redis.call('HDEL', 'cs:parked', id) else redis.call('HSET', 'cs:parked', id, cjson.encode(kept)) end
  end
end
return {delayed, suspects, parked, left <= 0 and 1 or 0}
