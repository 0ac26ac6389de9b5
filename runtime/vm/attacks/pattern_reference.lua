-- back references over long captures
local s = string.rep('ab', 50000)
while true do s:find('(.+)%1%1%1%1%1c') end
