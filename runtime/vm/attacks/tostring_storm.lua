while true do local s = tostring(0.1) s = tostring(1e300) end
