-- coroutines that stop just before a hook would fire
local function f() for i = 1, 90 do local x = i end coroutine.yield() end
while true do local co = coroutine.wrap(f) co() co() end
