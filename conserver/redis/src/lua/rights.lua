-- What the user that asks may not do. Nothing is done, and servers before Redis 7 do not tell.
--
-- ARGV: commands, each as the number of its parts and the parts: its name, a key, what else it takes
-- Returns those that are refused, as `NAME key`.

local refused = {}
if not redis.acl_check_cmd then return refused end
local at = 1
while at <= #ARGV do
  local parts = {}
  for n = 1, tonumber(ARGV[at]) do parts[n] = ARGV[at + n] end
  if not redis.acl_check_cmd(unpack(parts)) then refused[#refused + 1] = parts[1] .. ' ' .. (parts[2] or '') end
  at = at + #parts + 1
end
return refused
