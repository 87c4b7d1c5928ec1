-- Saves a document in the middle of a run, if the entry is still in flight with this worker. Needs document.lua
-- before it.
--
-- ARGV: worker, list, entry, time to live of a new document (ms), id, mode (s: text here, n: a staged key), payload
-- Returns 1 saved, 0 no longer held, 2 the staged document is missing, or a text: the key holds something else.

local document = {id = ARGV[5], key = 'vcon:' .. ARGV[5], mode = ARGV[6], payload = ARGV[7]}
new_expiry = tonumber(ARGV[4])
if not redis.call('LPOS', 'cs:infl:{' .. ARGV[2] .. '}:' .. ARGV[1], ARGV[3]) then
  drop_document(document)
  return 0
end
local problem = document_problem(document)
if problem == true then return 2 end
if problem then
  drop_document(document)
  return problem
end
write_document(document)
return 1
