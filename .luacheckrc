-- The sandbox's own globals (runtime/vm/README.md), not those of a bare Lua: what is not here is not there at run time.
std = {
  read_globals = {
    "assert", "coroutine", "error", "getmetatable", "ipairs", "math", "pairs", "pcall", "rawequal", "rawget", "rawlen", "rawset",
    "require", "select", "setmetatable", "string", "table", "tonumber", "tostring", "type", "utf8", "_VERSION",
  },
}
max_line_length = 140
codes = true
exclude_files = { "build/**", "**/node_modules/**", "runtime/vm/attacks/**", "tests/attacks/cases/**" }

-- Declarations for editors: their functions are never run.
files["stdlib/meta"] = { ignore = { "212", "241" } }

-- Specs run outside of the sandbox's limits on what a test may look at.
files["tests"] = { std = "lua54" }
files["tests/simulate"] = { read_globals = { "sim" } } -- the simulated machine
