-- the result is a million times its input
return #string.gsub(string.rep('a', 1000000), '', string.rep('b', 1000))
