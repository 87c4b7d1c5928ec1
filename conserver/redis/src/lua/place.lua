-- Shared by the scripts below it: putting an id where it belongs, whatever lies there.

-- How long dead letters live (ms); 0: as they are. Each script sets it.
local dlq_expiry = 0

-- What kind of value a key holds.
local function kind_of(key) return redis.call('TYPE', key).ok end

-- Runs a command that answers a number. Where the key holds another type, answers that type and has changed
-- nothing. Every other refusal (out of memory, disk full, replica) ends the script: it is no fault of the id.
local function put(command, key, ...)
  local done = redis.pcall(command, key, ...)
  if type(done) == 'number' then return nil end
  if not string.find(done.err, 'WRONGTYPE', 1, true) then error(done.err, 0) end
  return kind_of(key)
end

-- Writes why an id is a dead letter, and makes the document live as long as the letter.
local function write_letter(dlq, id, letter)
  local key = 'cs:dlq:' .. dlq .. ':' .. id
  redis.call('DEL', key)
  if not letter.at or letter.at == 0 then letter.at = redis.call('TIME')[1] end
  local fields = {}
  for name, value in pairs(letter) do
    fields[#fields + 1] = name
    fields[#fields + 1] = type(value) == 'number' and string.format('%.0f', value) or tostring(value)
  end
  redis.call('HSET', key, unpack(fields))
  if dlq_expiry > 0 then
    redis.call('PEXPIRE', key, dlq_expiry)
    local left = redis.call('PTTL', 'vcon:' .. id)
    if left >= 0 and left < dlq_expiry and type(redis.pcall('ZSCORE', 'cs:expiring', id)) ~= 'string' then
      redis.call('PEXPIRE', 'vcon:' .. id, dlq_expiry)
    end
  end
end

-- Puts an id on a dead-letter list with its reason; where that is no list, on that of its ingress list, and where
-- that is none either, on `cs:stray`. Nothing is ever dropped.
local function bury(dlq, list, id, letter)
  local kind = put('RPUSH', dlq, id)
  if kind then
    letter.error = '`' .. dlq .. '` holds a ' .. kind .. ', not a list; ' .. (letter.error or letter.reason)
    local usual = 'DLQ:' .. list
    if usual == dlq or put('RPUSH', usual, id) then
      kind = put('RPUSH', 'cs:stray', cjson.encode({list = list, id = id, error = letter.error}))
      if kind then error('WRONGTYPE `cs:stray` holds a ' .. kind .. ', not a list', 0) end
      return
    end
    dlq = usual
  end
  write_letter(dlq, id, letter)
end

-- Puts an id `count` times at the head of its list; where that is no list, on its dead-letter list.
local function give_back(list, id, count)
  local ids = {}
  for n = 1, math.min(count or 1, 1000) do ids[n] = id end
  local kind = put('LPUSH', list, unpack(ids))
  if kind then
    for _ = 1, #ids do
      bury('DLQ:' .. list, list, id,
        {reason = 'wrong-type', error = '`' .. list .. '` holds a ' .. kind .. ', not a list', list = list})
    end
  end
  if count and count > #ids then give_back(list, id, count - #ids) end
end

-- Reads a record of ours; one that somebody spoilt says nothing.
local function decode(text)
  local ok, record = pcall(cjson.decode, text or '{}')
  return ok and type(record) == 'table' and record or {}
end

-- Puts the other occurrences of an id back to the head of their lists.
local function unpark(id)
  local runs = redis.call('HGET', 'cs:parked', id)
  if not runs then return end
  runs = decode(runs)
  for k = #runs, 1, -1 do give_back(runs[k][1], id, runs[k][2]) end
  redis.call('HDEL', 'cs:parked', id)
end

-- Splits `token|id`.
local function split(entry)
  local bar = string.find(entry, '|', 1, true)
  return string.sub(entry, 1, bar - 1), string.sub(entry, bar + 1)
end
