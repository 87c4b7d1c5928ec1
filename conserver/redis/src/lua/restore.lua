-- Ends a transaction whose documents followed a script: brings back what document.lua set aside from them.

while true do
  -- A key of this name that is no list was not made by document.lua: nothing is set aside.
  local id = redis.pcall('LPOP', 'cs:aside')
  if type(id) ~= 'string' then return 0 end
  redis.call('RENAME', 'cs:aside:' .. id, 'vcon:' .. id)
end
