-- Gives bare ids in the sorted set of all vCons the name of their document's key; each keeps its score. One that stands
-- there under both names keeps the score of the full one.
--
-- ARGV: 1 sorted set, then bare ids.
-- Returns how many were renamed.

local set, renamed = ARGV[1], 0
for at = 2, #ARGV do
  local score = redis.call('ZSCORE', set, ARGV[at])
  if score then
    redis.call('ZADD', set, 'NX', score, 'vcon:' .. ARGV[at])
    redis.call('ZREM', set, ARGV[at])
    renamed = renamed + 1
  end
end
return renamed
