-- Shared by the scripts below it: writing a document, whose text came with the call, lies in a staged key, or follows.
--
-- A document is a table {id, key, mode (s: text here, n: a staged key, f: follows), payload}. The text of one that
-- follows never becomes a string of Lua, which would be hashed byte by byte: it is in a `SET .. XX KEEPTTL` after this
-- script, in the same transaction. That writes it if there is a key of its name, and so this script sees to it that
-- there is one, or, where nothing may be written, none until restore.lua brings it back.

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
  if document.mode == 'f' then
    if document.is_there then return end
    document.payload = ''
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

-- Forgets a document that is not to be written.
local function drop_document(document)
  if document.mode == 'n' then redis.call('UNLINK', document.payload) end
  if document.mode == 'f' and redis.call('EXISTS', document.key) == 1 then
    -- Whatever lies there outside of a transaction is not ours.
    if redis.call('TYPE', 'cs:aside').ok ~= 'list' then redis.call('DEL', 'cs:aside') end
    redis.call('RENAME', document.key, 'cs:aside:' .. document.id)
    redis.call('RPUSH', 'cs:aside', document.id)
  end
end
