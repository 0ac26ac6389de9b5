local function f(n)
  local a, b, c, d = n, n, n, n
  local function g() return a, b, c, d end
  if n > 0 then return f(n - 1), g() end
  return g
end
while true do pcall(f, 5000) end
