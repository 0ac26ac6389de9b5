-- A procedure that calls itself, an event that is heard by who emits it.
local ok, plugin = pcall(require, "feira.plugin")
while ok do
  pcall(plugin.call, "attack.procedure", {})
  pcall(plugin.emit, "nothing", {})
  pcall(plugin.check, { kind = "order", lines = { { sku = "TEA" } } })
end
