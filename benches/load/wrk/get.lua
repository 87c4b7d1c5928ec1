-- wrk: reads stored vCons by turns. Argument: how many there are.

function init(args)
  count, most = 0, tonumber(args[1])
end

function request()
  count = (count + 7919) % most
  return string.format("GET /vcon/0198a5c0-0000-8000-8000-%012x HTTP/1.1\r\nHost: x\r\n\r\n", count)
end
