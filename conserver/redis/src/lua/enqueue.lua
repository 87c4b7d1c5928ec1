-- Puts ids at the end of a list, with a trace context each.
--
-- ARGV: 1 list, 2 bound or '', 3 context or '', 4 expiry of contexts (s), then the ids.
-- Returns the length, or a text: what is wrong, after one of `type `, `full `.

local list, bound, context = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local length = redis.pcall('LLEN', list)
if type(length) == 'table' then return 'type ' .. list end
if bound and length + #ARGV - 4 > bound then return 'full ' .. list end
if context ~= '' then
  for at = 5, #ARGV do
    local waiting = 'context:' .. list .. ':' .. ARGV[at]
    if type(redis.pcall('LLEN', waiting)) == 'table' then return 'type ' .. waiting end
  end
end
for at = 5, #ARGV do
  if context ~= '' then
    local waiting = 'context:' .. list .. ':' .. ARGV[at]
    redis.call('RPUSH', waiting, context)
    redis.call('EXPIRE', waiting, ARGV[4])
  end
  length = redis.call('RPUSH', list, ARGV[at])
end
return length
