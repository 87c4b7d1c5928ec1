-- Ends leases, item by item. Needs place.lua before it.
--
-- ARGV: worker, dlq expiry (ms), context expiry (s), number of items, then per item:
--   kind      F finish | R retry | X dead | G give back
--   list, entry ("token|id"), chain, flags (c: has a context to drop, t: has tries to drop,
--             p: popped for good, so held by no in-flight list)
--   a, b      R: delay (ms), tries   X: dead-letter list, letter
--   documents: number, then per document: id, mode (s: text here, n: a staged key), payload
--   actions:   number, then per action:
--     P list id context    push       E id ms ""        let expire
--     S list id letter     storage dead letter
-- Returns per item: 1 applied, 0 gone, 2 resend (a staged document is missing), or a text: refused for that reason.
--
-- Every item is checked in full before its first write, and its entry leaves the in-flight list last, so that a
-- failure in the middle can repeat an item but never lose one.

local worker, dlq_expiry, context_expiry = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local count, at = tonumber(ARGV[4]), 5
local any_parked = redis.call('HLEN', 'cs:parked') > 0
local is_list = {} -- what is known of target keys; a push may create one, which stays a list

local function next_arg()
  at = at + 1
  return ARGV[at - 1]
end

local function list_problem(key)
  if is_list[key] == nil then
    local kind = redis.call('TYPE', key).ok
    is_list[key] = (kind == 'none' or kind == 'list') and true or kind
  end
  if is_list[key] == true then return nil end
  return '`' .. key .. '` holds a ' .. is_list[key] .. ', not a list'
end

local function read_item()
  local item = {kind = next_arg(), list = next_arg(), entry = next_arg(), chain = next_arg(), flags = next_arg(),
    a = next_arg(), b = next_arg(), documents = {}, actions = {}}
  for n = 1, tonumber(next_arg()) do
    item.documents[n] = {id = next_arg(), mode = next_arg(), payload = next_arg()}
  end
  for n = 1, tonumber(next_arg()) do
    item.actions[n] = {op = next_arg(), list = next_arg(), id = next_arg(), text = next_arg()}
  end
  local bar = string.find(item.entry, '|', 1, true)
  item.token, item.id = string.sub(item.entry, 1, bar - 1), string.sub(item.entry, bar + 1)
  item.held = 'cs:infl:{' .. item.list .. '}:' .. worker
  return item
end

-- What speaks against writing this item's documents and targets; `true`: a staged document is missing.
local function problem_of(item)
  for _, document in ipairs(item.documents) do
    if document.mode == 'n' then
      if redis.call('EXISTS', document.payload) == 0 then return true end
    elseif type(redis.pcall('STRLEN', 'vcon:' .. document.id)) ~= 'number' then
      return '`vcon:' .. document.id .. '` holds a ' .. redis.call('TYPE', 'vcon:' .. document.id).ok .. ', not a document'
    end
  end
  for _, action in ipairs(item.actions) do
    if action.op ~= 'E' then
      local problem = list_problem(action.list)
      if problem then return problem end
    end
  end
  return nil
end

local function write_documents(item)
  for _, document in ipairs(item.documents) do
    local key = 'vcon:' .. document.id
    if document.mode == 's' then
      redis.call('SET', key, document.payload, 'KEEPTTL')
    else
      local left = redis.call('PTTL', key)
      redis.call('RENAME', document.payload, key)
      if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('PERSIST', key) end
    end
  end
end

local function act(item, now)
  for _, action in ipairs(item.actions) do
    if action.op == 'P' then
      if action.text ~= '' then
        local key = 'context:' .. action.list .. ':' .. action.id
        redis.pcall('RPUSH', key, action.text)
        redis.pcall('EXPIRE', key, context_expiry)
      end
      redis.call('RPUSH', action.list, action.id)
    elseif action.op == 'S' then
      bury(action.list, action.id, cjson.decode(action.text), dlq_expiry)
    else
      local ms = tonumber(action.id)
      redis.call('ZADD', 'cs:expiring', now + ms, action.list)
      redis.call('PEXPIRE', 'vcon:' .. action.list, ms)
    end
  end
end

local function leave(item, keep)
  redis.call('HDEL', 'cs:busy', item.id)
  if any_parked then unpark(item.id) end
  if not keep then
    if string.find(item.flags, 'c', 1, true) then
      redis.pcall('LPOP', 'context:' .. item.list .. ':' .. item.id)
    end
    if string.find(item.flags, 't', 1, true) then
      redis.call('HDEL', 'cs:tries:{' .. item.list .. '}', item.token)
    end
  end
  redis.call('LREM', item.held, 1, item.entry)
end

local function settle(item, now)
  if not string.find(item.flags, 'p', 1, true) and not redis.call('LPOS', item.held, item.entry) then return 0 end
  if item.kind == 'G' then return item end
  local problem = problem_of(item)
  if problem == true then return 2 end
  if problem then
    bury('DLQ:' .. item.list, item.id,
      {reason = 'wrong-type', error = problem, list = item.list, chain = item.chain, worker = worker}, dlq_expiry)
    leave(item)
    return problem
  end
  write_documents(item)
  if item.kind == 'R' then
    redis.call('HSET', 'cs:tries:{' .. item.list .. '}', item.token, item.b)
    redis.call('ZADD', 'cs:retry:{' .. item.list .. '}', now + tonumber(item.a), item.entry)
    leave(item, true)
    return 1
  end
  act(item, now)
  if item.kind == 'X' then bury(item.a, item.id, cjson.decode(item.b), dlq_expiry) end
  leave(item)
  return 1
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, returned = {}, {}
for n = 1, count do
  local item = read_item()
  local ok, answer = pcall(settle, item, now)
  if not ok then
    -- Unexpected: say so; the entry is still in flight and the worker sends it again.
    return redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
  end
  if type(answer) == 'table' then
    returned[#returned + 1] = {n, item}
    answer = 1
  end
  answers[n] = answer
end

-- Given back: the last one first, so that they stand at the head in the order they were taken.
for k = #returned, 1, -1 do
  local item = returned[k][2]
  if string.find(item.flags, 't', 1, true) then
    redis.call('ZADD', 'cs:retry:{' .. item.list .. '}', now, item.entry)
  end
  leave(item, true)
  if not string.find(item.flags, 't', 1, true) then place('LPUSH', item.list, item.id) end
end
return answers
