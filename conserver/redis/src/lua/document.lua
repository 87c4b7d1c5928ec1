-- Shared by the scripts below it: writing a document, whose text came with the call or lies in a staged key.
--
-- A document is a table {id, key, mode (s: text here, n: a staged key), payload}.

-- How long a document lives that was not there before (ms); 0: for ever. Each script sets it.
local new_expiry = 0

-- What speaks against writing it; `true`: the staged document is missing.
local function document_problem(document)
  local key = document.key
  if document.mode == 'n' and redis.call('EXISTS', document.payload) == 0 then return true end
  local bytes = redis.pcall('STRLEN', key)
  if type(bytes) == 'number' then
    document.is_there = bytes > 0
    return nil
  end
  local kind = redis.call('TYPE', key).ok
  if document.mode == 'n' and kind == 'ReJSON-RL' then return nil end
  return '`' .. key .. '` holds a ' .. kind .. ', not a document'
end

-- Writes it; it keeps its time to live.
local function write_document(document)
  local key = document.key
  if document.is_there and document.mode == 's' then
    redis.call('SET', key, document.payload, 'KEEPTTL')
    return
  end
  local left = redis.call('PTTL', key)
  if left == -2 then left = new_expiry end
  if document.mode == 'n' then
    redis.call('RENAME', document.payload, key)
    if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('PERSIST', key) end
  elseif left > 0 then
    redis.call('SET', key, document.payload, 'PX', left)
  else
    redis.call('SET', key, document.payload)
  end
end

-- Forgets a staged document that nobody will take.
local function drop_staged(document)
  if document.mode == 'n' then redis.call('UNLINK', document.payload) end
end
