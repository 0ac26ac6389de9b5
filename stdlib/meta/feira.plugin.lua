---@meta feira.plugin
-- In files of a plugin: who it is, and its ways to others. feira.timers is its own there, too: timers.set("expire", key, due_ms) takes the
-- names of `timers` in its plugin.lua, and calls the function with { key, due_ms }.
---@class feira.plugin
---@field name string
---@field version string
---@field settings table what shop.lua says, checked, with defaults; read-only
local plugin = {}

---Calls a procedure, of its own ("grant") or of a plugin that needs.procedures names ("coupons.grant"), in the same transaction. Both get
---copies. When it fails, everything fails, whether the error is caught or not. Of the shop's own there are
---`plugin.call("orders.cancel", { order = id, reason = "..." })` and
---`plugin.call("orders.refund", { order = id, lines = { { line = 1, qty = 1 } } })`; both give { order, state, total, paid, refunded };
---so do `plugin.call("orders.fulfil", { order = id, lines = { { line = 1, qty = 1 } }, carrier = "...", tracking = "..." })` and
---`plugin.call("orders.complete", { order = id })` and `plugin.call("orders.pay", { order = id, amount = 500 })`, a payment out of the
---plugin's own accounts;
---and `plugin.call("orders.block", { order = id, name = "group", reason = "..." })` and
---`plugin.call("orders.unblock", { order = id, name = "group" })`; both give { order, state, blocked }, and twice is once.
---Procedures.
---In handlers and jobs it waits: the procedure is a step of its own, kept once it returns. With a key its result is kept too, for seven
---days: the same step again, under the same key and with the same arguments, gives that result and does nothing.
---@param procedure string
---@param args table?
---@param step { key: string }? handlers and jobs only; 1 to 200 bytes
---@return any
function plugin.call(procedure, args, step) end

---Emits one of its own events ("full" is heard as PLUGIN.full). Procedures.
---@param event string
---@param payload table as events in plugin.lua describes it
function plugin.emit(event, payload) end

---Which rules the plugin has now: what a row that begins now goes by, for a field of the type `revision`. It changes with rules.lua, the
---files that this requires, and the settings.
---@return string revision
function plugin.revision() end

---The rules of a revision: the functions of its rules.lua, and the settings of its time. An error when there were never such rules here.
---Handlers and procedures.
---@param revision string what plugin.revision() gave
---@return table<string, function> rules
---@return table settings
function plugin.rules(revision) end

---A campaign that the merchant wrote with `promo.use` of this plugin, live now: what he wrote, checked, with defaults, in the form that the
---plugin's function gets it (money in minor units, percent in parts per million, durations in ms). nil: there is none of that id.
---Something that begins now keeps what it needs of it in its row: later the merchant may have changed it. Rules, handlers, procedures.
---@param id string
---@return { id: string, type: string, fields: table }|nil
function plugin.campaign(id) end

---The ids of all campaigns of this plugin that are live now, in the order of the files. Rules, handlers, procedures.
---@return string[]
function plugin.campaigns() end

---A text with a signature behind it, for links and the like: whoever gets it can read it, and nobody can make another. The key is the
---shop's and this plugin's own. 1 to 1,000 bytes. Rules, handlers, procedures; not in rules that are only being tried (feira backtest).
---@param text string
---@return string signed
function plugin.sign(text) end

---@param signed string what a client sends
---@return string|nil text nil: this plugin of this shop never signed it
function plugin.verify(signed) end

---What a check is asked about. At run time whoever asks says what else is in it.
---@class feira.Subject
---@field kind "campaign"|"announcement"|"plugin"|"shop"|"order"|string
---@field at string? at submission: "campaigns/tea.lua:3"
---@field id string? of a campaign or an announcement
---@field name string? of a plugin
---@field declaration table? at submission: the campaign as data; { version, manifest, settings } of a plugin; shop.lua
---@field made_by { plugin: string, type: string, fields: table }? of a campaign that promo.use made
---@field changed boolean? at submission: whether it differs from what was live, or is new
---@field history { live: table? }? at submission: the declaration that was live
---@field [string] any

---@class feira.Finding
---@field check string the check that found it, "compliance.fake_members"
---@field rule string what it goes by, "P17"; the check's name when it does not say
---@field level "block"|"warn"|"label" label: it is fine with a label, which text names
---@field article string? what it is in: "明码标价和禁止价格欺诈规定 Art 16"
---@field text string
---@field value string? what was seen
---@field field string? of the subject: "give[1].percent"
---@field satisfy string? what to do

---What a provider's create, query and close are told of a payment, and its query and refund of a refund (`payments` in plugin.lua).
---@class feira.ProviderPayment
---@field kind "payment"
---@field number string what the provider is to know it by: the same however often it is asked
---@field payment string its id in the shop
---@field order string
---@field customer string?
---@field due string? of create: which of the order's dues it is for
---@field amount integer in minor units
---@field currency string
---@field reference string? what create gave
---@field transaction string?
---@field details table<string, string>? of create: what the client sent for the provider
---@field created_at string
---@field expires_at string

---@class feira.ProviderRefund
---@field kind "refund"
---@field number string what the provider is to know it by: the same however often it is asked
---@field refund string its id in the shop
---@field order string
---@field payment string the number of the payment
---@field transaction string the provider's id of the payment
---@field payment_reference string? what create gave
---@field reference string? what refund gave
---@field amount integer
---@field currency string
---@field paid integer what the payment was
---@field reason string? why, when the money goes straight back: "late", "twice", "mismatched"
---@field created_at string
---@field now string

---What notify gives.
---@class feira.ProviderEvent
---@field id string the provider's; an event has its effect once
---@field kind "payment"|"refund"|"other"
---@field number string? of the payment, or of the refund
---@field state string? of a payment "paid" or "closed", of a refund "succeeded", "processing" or "failed"
---@field transaction string? of a payment that is paid
---@field amount integer?
---@field currency string?
---@field merchant string?
---@field app string?
---@field reference string? of a refund
---@field why string?

---Asks all checks at run time that look at things of this kind, in their order: of this plugin and of others. They get a copy, may read the
---store, and change nothing. Handlers and procedures.
---@param subject feira.Subject { kind = "reward", trigger = "paid", depth = 1, amount = 500 }
---@return feira.Finding[] findings
---@return boolean blocked whether one of them blocks; what follows is the caller's
function plugin.check(subject) end

return plugin
