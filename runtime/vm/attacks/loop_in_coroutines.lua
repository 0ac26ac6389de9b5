-- coroutines inside pcall, each with its own hook count
while true do pcall(coroutine.wrap(function() local t = {} while true do t[1] = t end end)) end
