---@meta feira.test

---What specs are written in. `feira test PATH` runs the files of PATH/test: against a shop as it lies in its folder, or of a plugin
---in a shop that is made up for it. Each test has an empty shop of its own in memory, and a clock that stands at 2026-01-05 09:00 UTC
---until it is moved. What a test asks goes through the same routes as over HTTP, as the operator unless it says who.
---
---```lua
---local t = require "feira.test"
---
---t:it("of three mugs the cheapest is free", function()
---  t:product { sku = "MUG", category = "mugs", price = "12.00" }
---  local quote = t:quote { lines = { MUG = 3 } }
---  t:expect(quote, { subtotal = 3600, discount = 1200, total = 2400 })
---end)
---```
---@class feira.test
local t = {}

---Lines of a cart: `{ MUG = 3 }`, or a list of `{ sku = "MUG", qty = 3 }`.
---@alias feira.test.Lines table<string, integer>|{ sku: string, qty: integer }[]

---@class feira.test.Cart
---@field lines feira.test.Lines
---@field codes? string[]
---@field customer? string
---@field channel? string
---@field payment_method? string
---@field store? string
---@field shipping? { option?: string, region?: string }
---@field inputs? table<string, table> what a client sends for plugins: `{ invite = { link = "..." } }`

---A group of tests; its name stands before theirs.
---@param name string
---@param fn fun()
function t:describe(name, fn) end

---One test, run at once, with an empty shop. It passes when `fn` returns.
---@param name string a sentence
---@param fn fun()
function t:it(name, fn) end

---Fails unless `value` is what is wanted, and says where they differ. Of a record only what `wanted` names is looked at; a list
---is compared whole.
---@param value any
---@param wanted any
---@param what? string said first when it fails
function t:expect(value, wanted, what) end

---Fails unless `fn` is refused for this reason: `t:refused("out_of_stock", function() t:order { ... } end)`
---@param reason string the last part of the problem's type
---@param fn fun()
---@return table problem the whole document
function t:refused(reason, fn) end

---@class feira.test.Product
---@field sku string
---@field price feira.Amount minor units, or "12.00"
---@field title? string the SKU when left out
---@field stock? integer 100 when left out
---@field category? string
---@field tags? string[]
---@field brand? string
---@field weight_g? integer
---@field compare_at? feira.Amount

---Puts a product into the catalogue: the fields of `PUT /v1/products`.
---@param product feira.test.Product
---@return string sku
function t:product(product) end

---Makes a customer known: `t:customer { id = "ann", tags = { "staff" } }`
---@param customer { id: string, name?: string, tags?: string[] }
---@return string id
function t:customer(customer) end

---What plugins know of a customer now: `t:expect(t:facts "ann", { ["member-tiers.level"] = 3 })`
---@param customer string
---@return table<string, any>
function t:facts(customer) end

---How many pieces can be sold, over all places.
---@param sku string
---@return integer
function t:stock(sku) end

---Prices a cart; the answer of `POST /v1/quotes`, with every campaign and why it did not apply.
---@param cart feira.test.Cart
---@return table quote
function t:quote(cart) end

---JSON as the world outside writes it.
---@param value any
---@return string text
function t:encode(value) end

---JSON as the world outside reads it: the body of a request that `t:outside` gets.
---@param text string
---@return any value nil when it is no JSON
function t:decode(text) end

---Somebody outside calls of his own accord, without a key: a provider of payments, or whoever calls a route with `auth = "signed"`.
---@param path string "/v1/payments/stripe-payments/notify"
---@param body string the text as it comes over the wire
---@param headers table<string, string>?
---@return integer status
---@return any answer
function t:callback(path, body, headers) end

---Places an order at the price that a quote of it shows; the answer of `POST /v1/orders`.
---@param order feira.test.Cart
---@return table order
function t:order(order) end

---Pays an order in full. The shop must have `test_payments = true`.
---@param order table|string the order or its id
---@param payment? { provider?: string, amount?: integer }
---@return table order
function t:pay(order, payment) end

---@param order table|string
---@param reason? string
---@return table order
function t:cancel(order, reason) end

---@class feira.test.Refund
---@field lines? { line: integer, qty?: integer, sent?: boolean, amount?: integer }[] units (`sent`: of those that were), or money
---@field amount? integer money of the order as a whole, in minor units
---@field shipping? boolean
---@field restock? boolean
---@field reason? string

---Gives money back, all that is left unless it is said what: `t:refund(order, { lines = { { line = 1, qty = 1 } } })`
---@param order table|string
---@param refund? feira.test.Refund
---@return table order
function t:refund(order, refund) end

---@class feira.test.Fulfilment
---@field lines? { line: integer, qty: integer, location?: string }[] left out: all that is left
---@field carrier? string
---@field tracking? string

---Sends units of a paid order: `t:fulfil(order, { lines = { { line = 1, qty = 1 } } })`, or all that is left
---@param order table|string
---@param sent? feira.test.Fulfilment
---@return table order
function t:fulfil(order, sent) end

---Ends an order of which everything was sent; by a customer, `t:as("ann"):complete(order)`, or the shop
---@param order table|string
---@return table order
function t:complete(order) end

---The order as it is now.
---@param order table|string
---@return table order
function t:look(order) end

---The answer of a GET that must succeed: `t:get "/v1/orders?customer=ann"`
---@param path string
---@return table
function t:get(path) end

---The answer of a POST that must succeed: `t:as "ann":post("/v1/x/invite/links", { note = "hello" })`
---@param path string
---@param body? table
---@return table
function t:post(path, body) end

---What answers in the place of the outside, until the test ends: feira.http of the plugins asks it. It gets { method, url, headers,
---body } and gives { status, headers, body or json }, or nil: then nobody answers. Without one nobody does. Secrets are `secret NAME`
---in specs.
---@param fn fun(request: table): table|nil
function t:outside(fn) end

---What procedures have said to those who listen (feira.stream) since this was asked last, in its order; only what was committed. A
---route with `stream = true` answers a spec with the state alone.
---@return { topic: string, event?: string, data: table, last?: boolean }[] sent topics with the plugin's name before them
function t:streamed() end

---Any request; refusals come back, too.
---@param method string
---@param path string
---@param body? table
---@return integer status
---@return any answer
function t:request(method, path, body) end

---The same words as that customer, who must be known: `t:as "ann":get "/v1/orders"`
---@param customer string
---@return feira.test
function t:as(customer) end

---The same words as a shopper whom nobody knows, through a storefront's key.
---@return feira.test
function t:guest() end

---@class feira.test.Shop what shop.lua says (`currency`, `zone`, `policies`, `plugins` ...), and:
---@field settings? table of the plugin whose specs these are
---@field campaigns? table<string, string> texts of campaign files, by name
---@field plugins? table<string, table> settings of other plugins; those that the plugin needs are there in any case

---Only in the specs of a plugin: what the shop is that is made up for it. Outside of tests it holds for all that follow, in a test for
---the rest of it, in a shop that is empty again.
---
---```lua
---t:shop { currency = "CNY", settings = { friends = 3 }, campaigns = { tea = [[
---  local promo = require "feira.promo"
---  return promo.campaign { id = "tea", give = promo.percent_off { percent = 10 } }
---]] } }
---```
---@param shop feira.test.Shop
function t:shop(shop) end

---Only in the specs of a plugin: makes other files live in the shop of this test, which goes on with all it has.
---@param shop feira.test.Shop the whole of it, as for `t:shop`
---@return table answer
function t:publish(shop) end

---Calls a procedure of a plugin, in a transaction of its own, and gives what it returns: `t:call("grant", { customer = "ann" })`.
---A failure is one that `t:refused` looks at.
---@param name string of the plugin's own "grant", of another "coupons.grant"
---@param args? table
---@return any
function t:call(name, args) end

---Milliseconds UTC.
---@return integer
function t:now() end

---Moves the clock: `t:advance "24h"`. Timers that come due on the way fire, each at its time.
---@param span string|integer "90s", "30m", "24h", "7d", or milliseconds
function t:advance(span) end

---Moves the clock to a local time of the shop that is still to come: `t:at "2026-11-20 20:00"`
---@param text string
function t:at(text) end

return t
