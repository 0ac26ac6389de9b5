-- Somebody with a network: asks over HTTP, in bytes, and asks again under the same key until there is an answer. Every actor is a
-- coroutine; what it waits for is a connection, a moment, or both.
local client = {}
client.__index = client

local PATIENCE_MS = 40000

---@param world table main.lua's: roll, model, sk
function client.new(world, name) return setmetatable({ world = world, name = name, serial = 0 }, client) end

local function wait(me, conn, ms)
  me.conn_waited, me.until_ms = conn, sim.mono() + ms
  coroutine.yield()
end

function client:sleep(ms) wait(self, nil, ms) end

function client:new_key()
  self.serial = self.serial + 1
  return self.name .. "-" .. self.serial
end

local function request_text(ask, close)
  local head = {
    ask.method .. " " .. ask.path .. " HTTP/1.1", "Host: shop.example", "Content-Type: application/json", "Idempotency-Key: " .. ask.key,
    "Content-Length: " .. #(ask.body or ""),
  }
  if ask.header then head[#head + 1] = ask.header end
  if ask.bearer then head[#head + 1] = "Authorization: Bearer " .. ask.bearer end
  if close then head[#head + 1] = "Connection: close" end
  return table.concat(head, "\r\n") .. "\r\n\r\n" .. (ask.body or "")
end

-- The first whole answer in `bytes`: status, body, whether the server hangs up behind it, its bytes.
local function read_answer(bytes)
  local stop = bytes:find("\r\n\r\n", 1, true)
  if not stop then return end
  local head = bytes:sub(1, stop + 1)
  local length = tonumber(head:match "[Cc]ontent%-[Ll]ength: (%d+)" or 0)
  if #bytes < stop + 3 + length then return end
  local body = bytes:sub(stop + 4, stop + 3 + length)
  return tonumber(head:match "^HTTP/1.1 (%d+)"), body, head:lower():find("connection: close", 1, true) ~= nil, stop + 3 + length
end

function client:hang_up()
  if self.conn then sim.hang_up(self.conn) end
  self.conn, self.got = nil, ""
end

local function roll(n) return sim.roll(n) end

-- One try: status and body, or nothing when the connection was lost.
function client:try(ask)
  if not self.conn or (self.operator or false) ~= (ask.operator or false) then
    self:hang_up()
    self.conn, self.got, self.operator = sim.connect(ask.operator), "", ask.operator
    if not self.conn then return end
    if roll(10) == 1 then sim.window(self.conn, 200 + roll(400)) end
  end
  local text = request_text(ask, roll(8) == 1)
  if roll(6) == 1 then -- in two pieces
    local at = roll(#text - 1)
    sim.send(self.conn, text:sub(1, at))
    wait(self, nil, roll(30))
    if not self.conn then return end
    sim.send(self.conn, text:sub(at + 1))
  else
    sim.send(self.conn, text)
  end
  if roll(self.world.lost_answers) == 1 then -- sent, and then the phone is in a tunnel
    wait(self, nil, roll(12) - 1)
    self:hang_up()
    return
  end
  local give_up = sim.mono() + PATIENCE_MS
  while sim.mono() < give_up and self.conn do
    local bytes, open = sim.receive(self.conn)
    self.got = self.got .. bytes
    local _, _, cut = sim.state()
    if cut then break end -- from a machine that is not there any more
    local status, body, closes, length = read_answer(self.got)
    if status then
      local raw = self.got:sub(1, length)
      self.got = self.got:sub(length + 1)
      if not open then self.conn = nil end
      if closes then self:hang_up() end
      return status, body, raw
    end
    if not open then break end
    wait(self, self.conn, give_up - sim.mono())
  end
  self:hang_up()
end

---Asks until there is an answer. ask: { what, method, path, body?, key?, bearer?, operator? } and what the model wants to know of it.
---@return integer status, table answer
function client:ask(ask)
  local model = self.world.model
  ask.key = ask.key or self:new_key()
  model:asked(ask)
  for try = 1, 500 do
    local status, body, raw = self:try(ask)
    self.world.hear_writer()
    if status and model:answered(ask, status, body, raw) then
      self.world:remember(self.name, ask, status, body)
      return status, sim.json(body) or {}
    end
    model:count(try == 1 and "asked again" or "asked again and again")
    self:sleep(status and 1000 or roll(try < 20 and 300 or 5000))
  end
  model.diverge("%s under key %s has no answer after 500 tries", ask.what, ask.key)
end

return client
