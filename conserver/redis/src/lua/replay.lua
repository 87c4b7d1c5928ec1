-- Moves dead letters to the end of a list, or drops them.
--
-- ARGV: dead-letter list, target list or "" to drop, ids...
-- Returns how many were still there, or a text: the target is no list.

local dlq, target = ARGV[1], ARGV[2]
if target ~= '' then
  local kind = redis.call('TYPE', target).ok
  if kind ~= 'none' and kind ~= 'list' then return '`' .. target .. '` holds a ' .. kind .. ', not a list' end
end
local moved = 0
for n = 3, #ARGV do
  local id = ARGV[n]
  if redis.call('LPOS', dlq, id) then
    if target ~= '' then redis.call('RPUSH', target, id) end
    redis.call('LREM', dlq, 1, id)
    -- The same id may lie there twice; what is known is about both.
    if not redis.call('LPOS', dlq, id) then redis.call('DEL', 'cs:dlq:' .. dlq .. ':' .. id) end
    moved = moved + 1
  end
end
return moved
