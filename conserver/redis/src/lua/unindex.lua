-- Takes entries out of one index whose documents are not there at this moment: one that has come back keeps its entry.
--
-- ARGV: 1 sorted set or set, then an entry and the key of its document, and so on.
-- Returns how many were taken out.

local index, taken = ARGV[1], 0
local remove = redis.call('TYPE', index).ok == 'zset' and 'ZREM' or 'SREM'
for at = 2, #ARGV, 2 do
  if redis.call('EXISTS', ARGV[at + 1]) == 0 then
    taken = taken + redis.call(remove, index, ARGV[at])
  end
end
return taken
