-- fmod() of numbers far apart takes thousands of steps.
local x = 0
while true do x = x + 1e308 % 3e-308 end
