-- Ends leases, item by item. Needs place.lua and document.lua before it.
--
-- ARGV: worker, dlq expiry (ms), context expiry (s), time to live of a new document (ms), number of items, then per item:
--   head      F finish | R retry | X dead | G give back; then flags: c has a context to drop, t has tries to drop,
--             p popped for good, so held by no in-flight list
--   list, entry ("token|id")
--   a, b      only R: delay (ms), tries; only X: dead-letter list, letter
--   documents: number, then per document: id, mode (s: text here, n: a staged key, f: follows), payload
--   actions:   number, then per action:
--     P list id context    push       E id ms ""        let expire
--     S list id letter     storage dead letter
-- Returns per item: 1 applied, 0 gone, 2 resend (a staged document is missing), or a text: refused for that reason.
--
-- Every item is checked in full before its first write, and its entry leaves the in-flight list last, so that a
-- failure in the middle can repeat an item but never lose one.

local worker, context_expiry = ARGV[1], tonumber(ARGV[3])
dlq_expiry, new_expiry = tonumber(ARGV[2]), tonumber(ARGV[4])
local count, at = tonumber(ARGV[5]), 6
local kinds = {} -- what target keys hold; a push may create one, which is then of its kind

local any_parked = false

local function type_problem(key, expected)
  local kind = kinds[key]
  if not kind then
    kind = kind_of(key)
    kinds[key] = kind
  end
  if kind == 'none' or kind == expected then return nil end
  return '`' .. key .. '` holds a ' .. kind .. ', not a ' .. expected
end

local none = {}
local args, held_by = ARGV, {}

-- Reads one item. Written for speed: this is on the path of every vCon.
local function read_item()
  local head, list, entry = args[at], args[at + 1], args[at + 2]
  at = at + 3
  local kind, a, b = string.sub(head, 1, 1), nil, nil
  if kind == 'R' or kind == 'X' then
    a, b = args[at], args[at + 1]
    at = at + 2
  end
  local documents, actions = none, none
  local document_count, action_count = tonumber(args[at]), tonumber(args[at + 1])
  at = at + 2
  if document_count > 0 then
    documents = {}
    for n = 1, document_count do
      documents[n] = {id = args[at], key = 'vcon:' .. args[at], mode = args[at + 1], payload = args[at + 2], is_there = false}
      at = at + 3
    end
  end
  if action_count > 0 then
    actions = {}
    for n = 1, action_count do
      actions[n] = {op = args[at], list = args[at + 1], id = args[at + 2], text = args[at + 3]}
      at = at + 4
    end
  end
  local held = held_by[list]
  if not held then
    held = 'cs:infl:{' .. list .. '}:' .. worker
    held_by[list] = held
  end
  local token, id = split(entry)
  local item = {kind = kind, list = list, entry = entry, token = token, id = id, held = held,
    documents = documents, actions = actions, a = a, b = b}
  if #head > 1 then
    item.has_context = string.find(head, 'c', 2, true)
    item.has_tries = string.find(head, 't', 2, true)
    item.popped = string.find(head, 'p', 2, true)
  end
  return item
end

-- The first entries of in-flight lists, read at once: runs end about in the order in which they were claimed, so most
-- of a settlement stands there. For the rest each is looked for.
local held, order = {}, {}

local function first_entries(key)
  local entries, set = redis.pcall('LRANGE', key, 0, 2 * count + 15), {}
  if entries.err then return set end
  order[key] = entries
  for _, entry in ipairs(entries) do set[entry] = true end
  return set
end

-- Whether this worker holds the entry. Where somebody spoilt its in-flight list, the busy mark says so too.
local function is_held(item)
  if item.popped then return true end
  local known = held[item.held]
  if not known then
    known = first_entries(item.held)
    held[item.held] = known
  end
  if known[item.entry] ~= nil then return known[item.entry] end
  local place = redis.pcall('LPOS', item.held, item.entry)
  if type(place) == 'table' then return redis.call('HGET', 'cs:busy', item.id) == worker end
  return place
end

-- What speaks against writing this item's documents and targets; `true`: a staged document is missing.
local function problem_of(item)
  for _, document in ipairs(item.documents) do
    local problem = document_problem(document)
    if problem then return problem end
  end
  for _, action in ipairs(item.actions) do
    if action.op == 'E' then
      redis.call('ZCARD', 'cs:expiring') -- a key of ours: the whole call fails
    else
      local problem = type_problem(action.list, 'list')
      if problem then return problem end
    end
  end
  if item.kind == 'R' then
    return type_problem('cs:retry:{' .. item.list .. '}', 'zset') or type_problem('cs:tries:{' .. item.list .. '}', 'hash')
  end
  return nil
end

-- What is done for all items together, one command instead of one for each: ids for target lists, ids that run no
-- longer, entries that leave the in-flight lists.
local pushes, targets, freed, leaving = {}, {}, {}, {}

-- Takes entries off an in-flight list: at once where they are its first ones, which is the rule.
local function remove(key, entries)
  local gone, first = {}, 0
  for _, entry in ipairs(entries) do gone[entry] = true end
  local known = order[key]
  while known and known[first + 1] and gone[known[first + 1]] do first = first + 1 end
  order[key] = nil
  if first == #entries then
    redis.pcall('LPOP', key, first)
  else
    for _, entry in ipairs(entries) do redis.pcall('LREM', key, 1, entry) end
  end
end

-- Does it. The entries leave last.
local function flush()
  for _, list in ipairs(targets) do redis.call('RPUSH', list, unpack(pushes[list])) end
  if #freed > 0 then redis.call('HDEL', 'cs:busy', unpack(freed)) end
  for key, entries in pairs(leaving) do remove(key, entries) end
  pushes, targets, freed, leaving = {}, {}, {}, {}
end

local function act(item, now)
  for _, action in ipairs(item.actions) do
    if action.op == 'P' then
      if action.text ~= '' then
        local key = 'context:' .. action.list .. ':' .. action.id
        redis.pcall('RPUSH', key, action.text)
        redis.pcall('EXPIRE', key, context_expiry)
      end
      local ids = pushes[action.list]
      if not ids then
        ids = {}
        pushes[action.list] = ids
        targets[#targets + 1] = action.list
      end
      ids[#ids + 1] = action.id
    elseif action.op == 'S' then
      bury(action.list, item.list, action.id, cjson.decode(action.text))
    else
      local ms = tonumber(action.id)
      redis.call('ZADD', 'cs:expiring', now + ms, action.list)
      redis.call('PEXPIRE', 'vcon:' .. action.list, ms)
    end
  end
end

-- The last step of each end: frees the id, then the entry. `keep`: context and tries are for the next run.
local function leave(item, keep)
  if not keep then
    if item.has_context then
      redis.pcall('LPOP', 'context:' .. item.list .. ':' .. item.id)
    end
    if item.has_tries then redis.pcall('HDEL', 'cs:tries:{' .. item.list .. '}', item.token) end
  end
  if item.popped then return end
  freed[#freed + 1] = item.id
  if any_parked then unpark(item.id) end
  local entries = leaving[item.held]
  if not entries then
    entries = {}
    leaving[item.held] = entries
  end
  entries[#entries + 1] = item.entry
  if held[item.held] then held[item.held][item.entry] = false end
end

local function refuse(item, problem)
  local dlq, letter = 'DLQ:' .. item.list, nil
  if item.kind == 'X' then
    dlq, letter = item.a, cjson.decode(item.b)
    letter.error = letter.error .. '; ' .. problem
  else
    letter = {reason = 'wrong-type', error = problem, list = item.list, worker = worker}
  end
  bury(dlq, item.list, item.id, letter)
  for _, document in ipairs(item.documents) do drop_document(document) end
  leave(item)
end

local function retry_later(item, now)
  if item.popped then
    item.token = redis.call('INCR', 'cs:seq')
    item.entry = string.format('%.0f', item.token) .. '|' .. item.id
  end
  redis.call('HSET', 'cs:tries:{' .. item.list .. '}', item.token, item.b)
  redis.call('ZADD', 'cs:retry:{' .. item.list .. '}', now + tonumber(item.a), item.entry)
end

local function settle(item, now)
  if not is_held(item) then
    for _, document in ipairs(item.documents) do drop_document(document) end
    return 0
  end
  if item.kind == 'G' then return item end
  local problem = problem_of(item)
  if problem == true then return 2 end
  if problem then
    refuse(item, problem)
    return problem
  end
  for _, document in ipairs(item.documents) do write_document(document) end
  if item.kind == 'R' then
    retry_later(item, now)
  else
    act(item, now)
    if item.kind == 'X' then bury(item.a, item.list, item.id, cjson.decode(item.b)) end
  end
  leave(item, item.kind == 'R')
  return 1
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local items = {}
for n = 1, count do items[n] = read_item() end

-- Not an item's fault: says so; the entries from this one on are still in flight, and the worker sends them again.
local function give_up(problem, first)
  for n = first, count do
    for _, document in ipairs(items[n].documents) do pcall(drop_document, document) end
  end
  return redis.error_reply(type(problem) == 'table' and problem.err or tostring(problem))
end

-- What cannot go on without these ends here, before the first write.
local usable, parked = pcall(function()
  redis.call('HLEN', 'cs:busy')
  return redis.call('HLEN', 'cs:parked')
end)
if not usable then return give_up(parked, 1) end
any_parked = parked > 0

local answers, returned = {}, {}
for n = 1, count do
  local item = items[n]
  local ok, answer = pcall(settle, item, now)
  if not ok then
    flush()
    return give_up(answer, n)
  end
  if type(answer) == 'table' then
    returned[#returned + 1] = item
    answer = 1
  end
  answers[n] = answer
end
flush()
if #returned == 0 then return answers end

-- Given back: what was parked first, for it belongs behind; then the last one first, so that they stand at the head
-- in the order they were taken.
local alone = redis.call('HGET', 'cs:w:' .. worker, 'suspects') == '1'
local function return_item(item)
  if alone and not item.popped then
    if not put('LPUSH', 'cs:suspect:{' .. item.list .. '}', item.entry) then return end
  elseif item.has_tries and not item.popped then
    if not put('ZADD', 'cs:retry:{' .. item.list .. '}', now, item.entry) then return end
  end
  give_back(item.list, item.id)
end
for k = #returned, 1, -1 do
  if any_parked and not returned[k].popped then unpark(returned[k].id) end
end
for k = #returned, 1, -1 do
  return_item(returned[k])
  leave(returned[k], true)
end
flush()
return answers
