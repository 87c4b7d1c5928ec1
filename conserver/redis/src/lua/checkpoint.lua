-- Saves a document in the middle of a run, if the entry is still in flight with this worker.
--
-- ARGV: worker, list, entry, id, mode (s: text here, n: a staged key), payload
-- Returns 1 saved, 0 no longer held, 2 the staged document is missing, or a text: the key holds something else.

local held = 'cs:infl:{' .. ARGV[2] .. '}:' .. ARGV[1]
local key = 'vcon:' .. ARGV[4]
if not redis.call('LPOS', held, ARGV[3]) then return 0 end
if ARGV[5] == 's' then
  if type(redis.pcall('STRLEN', key)) ~= 'number' then
    return '`' .. key .. '` holds a ' .. redis.call('TYPE', key).ok .. ', not a document'
  end
  redis.call('SET', key, ARGV[6], 'KEEPTTL')
else
  if redis.call('EXISTS', ARGV[6]) == 0 then return 2 end
  local left = redis.call('PTTL', key)
  redis.call('RENAME', ARGV[6], key)
  if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('PERSIST', key) end
end
return 1
