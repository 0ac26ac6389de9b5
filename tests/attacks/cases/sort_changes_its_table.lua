local t = {}
for i = 1, 500 do t[i] = i * 7919 % 101 end
while true do
  table.sort(t, function(a, b) t[#t + 1] = nil t[1] = nil for i = 1, 500 do t[i] = i * 31 % 97 end return (a or 0) < (b or 0) end)
end
