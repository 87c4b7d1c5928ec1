-- wrk: posts a vCon with an id of its own in each request. Arguments: a file with the document, in which the id is
-- written as 36 times `@`.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local document = file:read("*a")
  file:close()
  local first, last = document:find(string.rep("@", 36), 1, true)
  head = string.format(
    "POST /vcon?ingress_lists=in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
    #document, document:sub(1, first - 1))
  tail = document:sub(last + 1)
  -- No two runs post the same.
  math.randomseed(os.time() * 64 + number)
  id = string.format("%08x-%04x-4%03x-8%03x-", math.random(0, 2 ^ 31), math.random(0, 65535), math.random(0, 4095), number)
  count = 0
end

function request()
  count = count + 1
  return head .. id .. string.format("%012x", count) .. tail
end
