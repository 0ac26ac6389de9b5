local fail = require "feira.fail"
while true do pcall(fail.conflict, "no") pcall(fail.not_found, ("x"):rep(10000)) end
