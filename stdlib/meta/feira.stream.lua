---@meta feira.stream
-- Server-sent events: what procedures say to those who listen on a route with `stream = true`. It is heard after the commit by everybody
-- who listens on the topic, on every worker, in the order of the commits; what is taken back was never said.
--
-- Say the state, not the change: whoever comes is told the state by the route, and may then be told once more what he knows.

local stream = {}

---```lua
---stream.send("group/" .. group.id, { paid = group.paid, size = group.size })
---stream.send("group/" .. group.id, { state = "full" }, { event = "full", last = true })
---```
---Nobody need listen, and nothing is kept for those who come later. Procedures.
---@param topic string a word of 1 to 200 bytes, the plugin's own
---@param data table at most 16 KiB of JSON
---@param options { event?: string, last?: boolean }? event: its name, "message" for clients unless said; last: who listens is let go
function stream.send(topic, data, options) end

return stream
