-- each pcall swallows the error of a plain count hook
while true do pcall(function() while true do end end) end
