-- A handle of the call is carried out of it, in the hope of a later one.
local given = ...
local ok = pcall(function() string.kept = given end)
ok = pcall(function() _ENV.kept = given end) or ok
ok = pcall(function() getmetatable("").__index.kept = given end) or ok
ok = pcall(function() require("feira.json").kept = given end) or ok
ok = pcall(rawset, string, "kept", given) or ok
assert(not ok, "it could be kept")
