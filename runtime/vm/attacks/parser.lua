-- load, bytecode and parser depth
if load then load(string.rep('(', 1000000)) end
local x = ((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))
return x
