-- Extends the time to live of documents (and, for dead letters, of what is known about them).
--
-- ARGV: worker or supervisor that sweeps, least time to live (ms), dead-letter list or "", ids...
-- Returns how many documents were extended, or -1 if somebody else is the sweeper.
--
-- A document that a link lets expire is left alone; nothing is ever shortened. What has three quarters left waits for
-- the next sweep, a quarter later: most documents leave before it.

if redis.call('GET', 'cs:sweeper') ~= ARGV[1] then return -1 end
local least, dlq, extended = tonumber(ARGV[2]), ARGV[3], 0
for n = 4, #ARGV do
  local id = ARGV[n]
  local left = redis.call('PTTL', 'vcon:' .. id)
  if left >= 0 and left < least * 0.75 and type(redis.pcall('ZSCORE', 'cs:expiring', id)) ~= 'string' then
    redis.call('PEXPIRE', 'vcon:' .. id, least)
    extended = extended + 1
  end
  if dlq ~= '' then
    local key = 'cs:dlq:' .. dlq .. ':' .. id
    local rest = redis.call('PTTL', key)
    if rest >= 0 and rest < least * 0.75 then redis.call('PEXPIRE', key, least) end
  end
end
return extended
