local log = require "feira.log"
while true do pcall(log.info, ("flood "):rep(100)) end
