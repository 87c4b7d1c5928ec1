-- Renews a worker's lease, or registers it.
--
-- ARGV: worker, lease (ms), progress (ms), then pairs of fields: only with these it registers.
-- Returns 1, or 0 if the worker is not registered (any more): recovery has taken what it held.

local worker = ARGV[1]
if #ARGV == 3 and not redis.call('ZSCORE', 'cs:workers', worker) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZCARD', 'cs:workers') -- fails here, before the first write
redis.call('HSET', 'cs:w:' .. worker, 'progress', ARGV[3], unpack(ARGV, 4))
redis.call('ZADD', 'cs:workers', now + tonumber(ARGV[2]), worker)
return 1
