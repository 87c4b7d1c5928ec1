-- Shared by the scripts below it: putting an id where it belongs, whatever lies there.

-- Pushes `id` at one end of `list`; where the key is no list, keeps it on the dead-letter list, and where that
-- is none either, on `cs:stray`. Nothing is ever dropped.
local function place(command, list, id, why)
  local done = redis.pcall(command, list, id)
  if type(done) == 'number' then return true end
  local dlq = 'DLQ:' .. list
  local text = '`' .. list .. '` is no list' .. (why and ('; ' .. why) or '')
  if string.sub(list, 1, 4) ~= 'DLQ:' and type(redis.pcall('RPUSH', dlq, id)) == 'number' then
    redis.pcall('HSET', 'cs:dlq:' .. dlq .. ':' .. id, 'reason', 'wrong-type', 'error', text, 'list', list,
      'at', redis.call('TIME')[1])
  else
    redis.pcall('RPUSH', 'cs:stray', cjson.encode({list = list, id = id, error = text}))
  end
  return false
end

-- Puts the other occurrences of an id back to the head of their lists.
local function unpark(id)
  local lists = redis.call('HGET', 'cs:parked', id)
  if not lists then return end
  lists = cjson.decode(lists)
  for k = #lists, 1, -1 do place('LPUSH', lists[k], id) end
  redis.call('HDEL', 'cs:parked', id)
end

-- Writes why an id is a dead letter, and makes the document live as long as the letter. `expiry` in ms, 0: leave.
local function write_letter(dlq, id, letter, expiry)
  local key = 'cs:dlq:' .. dlq .. ':' .. id
  redis.pcall('DEL', key)
  if not letter.at or letter.at == 0 then letter.at = redis.call('TIME')[1] end
  local fields = {}
  for name, value in pairs(letter) do
    fields[#fields + 1] = name
    fields[#fields + 1] = type(value) == 'number' and string.format('%.0f', value) or tostring(value)
  end
  redis.pcall('HSET', key, unpack(fields))
  if expiry > 0 then
    redis.pcall('PEXPIRE', key, expiry)
    local left = redis.pcall('PTTL', 'vcon:' .. id)
    if type(left) == 'number' and left >= 0 and left < expiry and not redis.call('ZSCORE', 'cs:expiring', id) then
      redis.pcall('PEXPIRE', 'vcon:' .. id, expiry)
    end
  end
end

-- Puts an id on a dead-letter list with its reason.
local function bury(dlq, id, letter, expiry)
  if type(redis.pcall('RPUSH', dlq, id)) == 'number' then
    write_letter(dlq, id, letter, expiry)
  else
    redis.pcall('RPUSH', 'cs:stray', cjson.encode({list = dlq, id = id, error = letter.error or letter.reason}))
  end
end
