-- Turns one document of the JSON module into text, in one step: it is there before, during and after, and its time to
-- live runs on. Everything is looked at before the only write.
--
-- ARGV: 1 key.
-- Returns 1 done, 0 it is no document of the JSON module (any more).

local key = ARGV[1]
if redis.call('TYPE', key).ok ~= 'ReJSON-RL' then return 0 end
local text = redis.call('JSON.GET', key, '.')
if type(text) ~= 'string' or text == '' then error('the JSON module did not give `' .. key .. '` as text', 0) end
local left = redis.call('PTTL', key)
if left > 0 then
  redis.call('SET', key, text, 'PX', left)
elseif left == -1 then
  redis.call('SET', key, text)
else
  -- It ends within this millisecond.
  redis.call('SET', key, text, 'PX', 1)
end
return 1
