---@meta feira.promo

---The words campaigns are written in. A file of campaigns/ returns what `promo.campaign` makes, or a list of it:
---
---```lua
---local promo = require "feira.promo"
---
---return promo.campaign {
---  id    = "tea-weekend",
---  title = "Weekend tea: 20% off from 100 yuan, at most 50 yuan",
---  scope = promo.category "tea",
---  when  = promo.subtotal { at_least = "100.00" },
---  give  = promo.percent_off { percent = 20, cap = "50.00" },
---}
---```
---@class feira.promo
local promo = {}

---An amount in major units, as a string: `"50.00"`. A bare number is refused, because nobody can tell yuan from fen.
---@alias feira.promo.Money string

---Percent: `20`, `12.5` or `"12.5"`; above 0, at most 100, at most four decimals.
---@alias feira.promo.Percent number|string

---One name, or a list of names of which any will do.
---@alias feira.promo.Names string|string[]

---A set of lines of the cart. Used as a condition, it holds when the cart has such a line.
---@class feira.promo.Selector

---Something that holds or does not.
---@class feira.promo.Condition

---Something a campaign gives.
---@class feira.promo.Action

---What `promo.campaign` and `promo.gate` make.
---@class feira.promo.Campaign

---A span of time in the shop's zone, from ≤ t < to: `"2026-11-20 00:00"`, `"2026-11-20"`.
---@class feira.promo.Window
---@field from? string
---@field to? string

---@alias feira.promo.When feira.promo.Condition|feira.promo.Selector|fun(cart: feira.Cart): boolean
---@alias feira.promo.Give feira.promo.Action|fun(cart: feira.Cart)

---@class feira.promo.WatchShare
---@field alarm? number|string percent
---@field stop? number|string percent, not below the alarm
---@field orders? integer of fewer orders a share says nothing; default 10

---@class feira.promo.WatchMoney
---@field alarm? string
---@field stop? string not below the alarm

---Bounds of what a campaign takes off, over the last hour of orders. A value alone is an alarm: a line in the log, `feira status`, a figure
---in /metrics. Only `stop` ends the campaign, as `feira stop` does, until it is resumed.
---@class feira.promo.Watch
---@field discount_share? number|string|feira.promo.WatchShare percent of what the orders with it cost before
---@field per_hour? string|feira.promo.WatchMoney what it takes off within an hour

---A share of the customers, to begin with some. From nothing to up_to it is made larger or smaller without other rules: feira share.
---@class feira.promo.Share
---@field percent number|string with which it begins
---@field up_to? number|string how large it may be made; default: no larger

---@alias feira.promo.Per "day"|"week"|"month"|"year"
---@class feira.promo.CountPer
---@field [1] integer
---@field per? feira.promo.Per in the shop's zone; weeks begin on Monday
---@class feira.promo.MoneyPer
---@field [1] string
---@field per? feira.promo.Per
---@alias feira.promo.Count integer|feira.promo.CountPer|(integer|feira.promo.CountPer)[]
---@alias feira.promo.Amount string|feira.promo.MoneyPer|(string|feira.promo.MoneyPer)[]

---What a campaign may use up: `5000`, `{ 500, per = "day" }`, or both in a list. Held when an order is placed, used when it is paid, free
---again when it is cancelled, expires or is refunded whole. A campaign that takes nothing off uses nothing. When the last goes to somebody
---else meanwhile, the order is refused with 409 and a fresh quote. Counters belong to the campaign's id; a limit can be raised and lowered
---at any time.
---
---```lua
---limits = { uses = { 5000, { 500, per = "day" } }, budget = "100000.00", per_customer = 1 }
---```
---@class feira.promo.Limits
---@field uses? feira.promo.Count orders
---@field units? feira.promo.Count units that it takes something off; of a line that is discounted as a whole, all; and those it gives
---@field budget? feira.promo.Amount what it takes off, shipping included, and what its gifts cost otherwise
---@field per_customer? feira.promo.Count orders of each customer; a guest is asked to sign in
---@field units_per_customer? feira.promo.Count
---@field budget_per_customer? feira.promo.Amount
---@field round? string another one begins at nothing used, such as "2026-11"
---@field partial_budget? "take_left"|"skip" when less is left than it would take off: take that (default), or do not apply
---@field after_refund? "give_back"|"keep" of an order that was refunded whole; default give_back
---@field after_cancel? "give_back"|"keep" of an order that was cancelled, paid or not, or not paid in time; default give_back

---Those of the shop's policies that a campaign may have of its own; what each means stands in runtime/rulebook/SHOP.md.
---@class feira.promo.Policies
---@field percent_base? "remaining"|"list"
---@field thresholds? "remaining"|"list"
---@field round? "line"|"unit"|"order"|"carry"
---@field rounding? feira.Rounding
---@field remainder? "largest_remainder"|"first_lines"|"last_line"|"carry"
---@field share_rounding? feira.Rounding
---@field each? "line"|"unit"
---@field earlier? "evenly"|"same_units"
---@field units? "shared"|"once"

---What a shop says of itself and no rule prices, for those who approve and for plugins' checks.
---@class feira.promo.Declares
---@field claims? feira.promo.Claim[] prices, and what they are compared with
---@field texts? table<string, string> what people read, by where: `{ title = "...", share = "..." }`
---@field sources? table<string, string> of numbers in texts: the words of the text, and where they come from
---@field rewards? feira.promo.Reward[] what somebody gets for doing something
---@field promoters? { qualify?: string|string[] } what must be done to become one
---@field steps? { name: string, requires?: string|string[] }[] what a person must have done to go on
---@field group? { size?: integer, rule_text?: string, expires?: string, skus?: string|string[] }
---@field gifts? { sku?: string, name?: string, qty?: integer, value?: feira.promo.Money }[]
---@field lottery? feira.promo.Lottery
---@field deposit? feira.promo.Deposit
---@field limited? { units?: integer, shown?: boolean, ends_when_gone?: boolean, countdown_to?: string }
---@field terms? { conversion?: string, expires?: string, scope?: string, rules?: string } of coupons and points
---@field options? { name: string, default?: boolean, price?: feira.promo.Money }[] what can be added to an order
---@field fees? { name: string, amount?: feira.promo.Money, shown?: boolean }[]
---@field renewal? { every?: string, notice_days?: integer, notice_text?: string, join_steps?: integer, cancel_steps?: integer }
---@field counters? table<string, integer> numbers that are shown and nobody counted: made-up members, sales, views
---@field reviews? { reward_needs_stars?: integer, delete_because?: string|string[], only_buyers?: boolean }
---@field stored_value? { terms?: string, refund?: string, bonus_apart?: boolean, expires?: string }
---@field returns? { days?: integer, except?: string|string[], confirmed?: boolean, settle_after_days?: integer }
---@field cancelling? feira.promo.Cancelling who may undo an order
---@field content? feira.promo.Content[] posts, reviews, search results, pop-ups
---@field endorser? { name?: string, age?: integer, used_it?: boolean }
---@field audience? { from_age?: integer, goods?: string|string[] }
---@field message? { channel?: string, consent?: string, unsubscribe?: boolean }
---@field links? { url: string, sha256?: string }[] where it leads, with the hash of what was approved
---@field personal? feira.promo.PersonalField[]
---@field price_inputs? string|string[] what a price depends on, beside the cart
---@field automated? { non_personal?: boolean, explained?: boolean } what is chosen for a person by a program
---@field rights? { export?: boolean, erase?: boolean, days?: integer }
---@field retention? { transactions_days?: integer, live_video_days?: integer }
---@field age? { from?: integer, gate?: boolean, what?: "lottery"|"recharge"|"tipping"|"course"|"goods" }
---@field more? any data for a check of your own

---@class feira.promo.Claim
---@field sku? string else every product of the campaign
---@field was? feira.promo.Money|"price"|"compare_at" what it is compared with: an amount, or what the catalogue says
---@field now? feira.promo.Money
---@field percent? feira.promo.Percent so much less, as it is said
---@field channel? string
---@field from? string since when it is claimed: "2026-11-20 00:00"; default the campaign's window, else when it goes live
---@field text? string
---@field because? "perishable"|"new"|"progressive" why another price counts than the lowest of the last days

---@class feira.promo.Reward
---@field name? string
---@field trigger string what it is for: "order_paid", "share" ...
---@field gives? "cash"|"commission"|"coupon"|"points"|"goods"
---@field amount? feira.promo.Money
---@field percent? feira.promo.Percent
---@field per_customer? integer how often one may get it
---@field paid_on? "order_line"|"person"|"entry" what it is counted by
---@field payees? feira.promo.Payee[] everybody who earns by one order
---@field margin_percent? feira.promo.Percent what is earned on what is sold

---@class feira.promo.Payee
---@field role string "promoter", "staff" ...
---@field of? string whom he stands above, "buyer" or another role; default "buyer"
---@field through? string the relation in which they are
---@field percent? feira.promo.Percent
---@field amount? feira.promo.Money

---@class feira.promo.Prize
---@field name string
---@field kind? "cash"|"goods"|"points"|"traffic"
---@field value? feira.promo.Money
---@field market_price? feira.promo.Money
---@field qty? integer
---@field probability? feira.promo.Percent

---@class feira.promo.Lottery
---@field prizes? feira.promo.Prize[]
---@field conditions? string
---@field from? string
---@field to? string
---@field redeem? string how a prize is claimed
---@field redeem_until? string
---@field records_years? integer

---@class feira.promo.Deposit
---@field kind? "earnest"|"advance" 定金, or 订金
---@field word? string what the text calls it
---@field amount? feira.promo.Money
---@field percent? feira.promo.Percent of the price
---@field price? feira.promo.Money
---@field seller_breaks? integer percent of it that goes back when the seller does not deliver
---@field buyer_cancels? "forfeits"|"refund"

---@class feira.promo.Cancelling
---@field by_seller? "never"|"by_person"|"by_rule"
---@field by_buyer? string
---@field price_errors? "honoured"|"by_person"|"by_rule"

---@class feira.promo.Content
---@field name? string
---@field kind? "review"|"experience"|"knowledge"|"search"|"banner"|"post"|"popup"
---@field purchase_link? boolean
---@field paid? boolean
---@field rewarded? boolean
---@field label? string
---@field label_at? "first_screen"|"later"
---@field closes? boolean one touch closes it

---@class feira.promo.PersonalField
---@field field string
---@field purpose? string
---@field basis? string
---@field retention? string
---@field shared_with? string|string[]
---@field sensitive? boolean
---@field consent? string
---@field separate_consent? boolean

---Which units of its lines an action takes; without these all.
---@class feira.promo.Units
---@field max_units? integer at most so many over all lines
---@field max_units_per_line? integer
---@field whole? integer only whole groups of so many units, over all lines
---@field whole_per_line? integer only whole groups of so many units of each line
---@field pick? "first"|"cheapest"|"dearest" which come first, where max_units or whole leave some out; default first

---@class feira.promo.CampaignSpec
---@field id string 1 to 64 of A-Z a-z 0-9 _ . : -; its counters belong to it
---@field title? string what the shopper reads; the id when left out
---@field priority? integer higher is applied earlier within its stage, and by default goes before those it excludes; default 0
---@field alone? boolean nothing else applies with it
---@field group? string at most one of a group applies
---@field lane? "pre"|"default"|"post" before the stages of lines: all of pre, then all of default, then all of post
---@field stop? "lines"|"order" when it took something off, nothing later touches its lines, or anything at all
---@field not_with? string|string[] ids of campaigns that it does not combine with, or "group:NAME"; it holds in both directions
---@field stage? "price"|"item"|"order"|"shipping" default: the earliest of its actions; price: it changes what a unit costs
---@field policies? feira.promo.Policies where its amounts are found otherwise than the shop's
---@field declares? feira.promo.Declares what it says beside its rules
---@field window? feira.promo.Window when it runs
---@field scope? feira.promo.Selector the campaign's lines: thresholds measure them, discounts are taken from them; default all
---@field codes? feira.promo.Names the shopper must have typed one of these
---@field when? feira.promo.When|feira.promo.When[] a list means all of them
---@field give feira.promo.Give|feira.promo.Give[] applied in this order
---@field on_failure? "skip"|"refuse" what a failing function does: to the campaign, or to the quote; default skip
---@field watch? feira.promo.Watch what it is expected to take off; beyond that an alarm, or its end
---@field share? number|string|feira.promo.Share it is for so many percent of the customers, always the same ones; guests are in no share
---@field limits? feira.promo.Limits what it may use up, in all and of each customer
---@field pay_within? string "5m": an order with it is held that long, when the shop's own pay_within is longer
---@field coupon? feira.promo.Coupon only for those who hold a coupon of it; of the plugin `coupons`, which must be turned on

---Coupons of a campaign: who gets them, and how long they last. What holds besides stands in `when`, as everywhere.
---@class feira.promo.Coupon
---@field grant_on? "customer.joined"|"order.paid"|"order.completed" what gives a customer one by itself
---@field valid_for? string from the grant: "7d"; as long as the campaign lives when left out
---@field per_customer? integer how many one customer can get in all; default 1
---@field total? integer how many there are for all
---@field claim? boolean customers may take one themselves, without a code
---@field typed? "customers"|"anyone" whose codes can be typed into a cart, without a claim before; anyone: guests', too

---Declares a campaign. Mistakes are refused with the line of this call.
---
---```lua
---return promo.campaign { id = "free-delivery", when = promo.subtotal { at_least = "199.00" }, give = promo.free_shipping() }
---```
---@param spec feira.promo.CampaignSpec
---@return feira.promo.Campaign
function promo.campaign(spec) end

---@class feira.promo.GateSpec
---@field id string as that of a campaign, and of all campaigns and gates each has its own
---@field title? string the id when left out
---@field priority? integer of several closed gates the higher one speaks; default 0
---@field window? feira.promo.Window when it stands; before and after it anybody may buy
---@field scope? feira.promo.Selector the lines it stands before; default all
---@field when? feira.promo.When|feira.promo.When[] what must hold to buy them; a list means all of them
---@field unless? feira.promo.When|feira.promo.When[] the same as when, for gates that read "closed, unless ..."; one of them is there
---@field reason string what the shopper reads when it does not, at most 200 bytes
---@field effect? "refuse"|"hide" refuse (default): no quote for such a cart; hide: the quote shows the line as not for sale
---@field on_failure? "refuse"|"skip" when a function fails, or fails too often: it is closed (default), or open

---Declares who may buy what, and when. Gates are asked before prices and campaigns, about the whole cart at the prices of the catalogue.
---
---A cart with a line behind a closed gate is refused: 422 `gate_closed` with the line (`/lines/1`), the gate's reason, and in `gate` what
---was needed and seen. With `effect = "hide"` the quote is answered, and the line has `unavailable` with the same; it costs nothing, no
---campaign sees it, it is not shipped, and an order with it is refused. A gate that is stopped (`feira stop`) stands open. Who was shown a
---price before it closed can order at that price until the quote expires.
---
---```lua
---return promo.gate {
---  id     = "early-access",
---  window = { to = "2026-12-01 00:00" },
---  scope  = promo.tag "winter",
---  when   = promo.customer_tag "friend",
---  reason = "Friends of the shop can buy this now, everybody from 1 December.",
---}
---```
---@param spec feira.promo.GateSpec
---@return feira.promo.Campaign
function promo.gate(spec) end

---@class feira.promo.PurchaseLimitSpec
---@field id string as that of a campaign
---@field title? string the id when left out
---@field priority? integer of several that refuse the higher one speaks; default 0
---@field window? feira.promo.Window when it holds
---@field scope? feira.promo.Selector whose units count together; default all
---@field units_per_customer? feira.promo.Count
---@field units? feira.promo.Count of all customers together
---@field per? feira.promo.Per of the limits that name no period themselves
---@field round? string another one begins at nothing bought
---@field reason? string what the shopper reads, at most 200 bytes

---How much may be bought, whatever it costs. Refuses as a gate does; units count from orders that are placed, and come back with those that
---end unpaid or are refunded whole. Of each customer: a guest is refused and asked to sign in.
---
---```lua
---return promo.purchase_limit {
---  id = "one-each", scope = promo.sku "TRIBUTE-2026", units_per_customer = 1, reason = "One for each customer.",
---}
---```
---@param spec feira.promo.PurchaseLimitSpec
---@return feira.promo.Campaign
function promo.purchase_limit(spec) end

---Lines with one of these SKUs: `promo.sku { "TEA-100", "TEA-250" }`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Selector
function promo.sku(names, ...) end

---Lines in one of these categories or below: `promo.category "tea"` also takes `tea/green`.
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Selector
function promo.category(names, ...) end

---Lines whose product has one of these tags: `promo.tag "gift"`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Selector
function promo.tag(names, ...) end

---Lines of one of these brands: `promo.brand "Acme"`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Selector
function promo.brand(names, ...) end

---Lines of which one unit costs so much, in the catalogue or by campaigns of the stage price: `promo.unit_price { at_least = "10.00" }`
---@param spec { at_least?: feira.promo.Money, at_most?: feira.promo.Money } at least one bound
---@return feira.promo.Selector
function promo.unit_price(spec) end

---Lines whose product has an attribute (a map of the catalogue: texts, whole numbers, booleans): `promo.attribute("color", "red")`, one of
---several `promo.attribute("color", { "red", "blue" })`, a number `promo.attribute("size_mm", { at_least = 20, at_most = 40 })`; without a
---value it is true: `promo.attribute "organic"`.
---@param name string
---@param is? string|integer|boolean|(string|integer|boolean)[]|{ at_least: integer?, at_most: integer? }
---@return feira.promo.Selector
function promo.attribute(name, is) end

---Lines that are shown beside a higher price (`compare_at`): `scope = promo.none(promo.reduced())` leaves what is on sale alone.
---@param spec? {}
---@return feira.promo.Selector
function promo.reduced(spec) end

---@class feira.promo.Amounts
---@field at_least? feira.promo.Money
---@field at_most? feira.promo.Money
---@field of? feira.promo.Selector default: the campaign's scope
---@field tax? "as_priced"|"with"|"without"

---What the lines come to: `promo.subtotal { at_least = "100.00" }`, of the campaign's scope or of other lines:
---`promo.subtotal { at_least = "50.00", of = promo.tag "gift" }`
---`tax = "with"` or `"without"`: by the rates of shop.lua, whichever its prices are.
---@param spec feira.promo.Amounts at least one bound
---@return feira.promo.Condition
function promo.subtotal(spec) end

---How many units: `promo.qty { at_least = 3 }`; with `per = "line"` those of the line that has most
---@param spec { at_least?: integer, at_most?: integer, of?: feira.promo.Selector, per?: "set"|"line" } at least one bound
---@return feira.promo.Condition
function promo.qty(spec) end

---A span of time as one condition among others: `promo.window { from = "2026-11-20 20:00", to = "2026-11-20 22:00" }`
---@param spec feira.promo.Window
---@return feira.promo.Condition
function promo.window(spec) end

---The customer has one of these tags: `promo.customer_tag "staff"`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Condition
function promo.customer_tag(names, ...) end

---The shopper typed one of these codes; letter case and outer spaces do not count: `promo.coupon "WELCOME10"`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Condition
function promo.coupon(names, ...) end

---What a plugin knows of the customer, by the fact's name: `promo.fact("member-tiers.level", { at_least = 3 })`. Bounds and values are
---written as the fact's type is: `3`, `"12.50"` (money), `12.5` (percent), `"2026-01-01 00:00"` (time, in the shop's zone), `true`,
---`"gold"`. With neither, a boolean must be true, any other fact must be there. It never holds for a guest: the reason asks him to sign in.
---Of a fact that is a set of names only `has` can be asked: `promo.fact("coupons.held", { has = "new20" })`.
---@param name string "PLUGIN.NAME", of a plugin that the shop turns on
---@param tests? { at_least?: integer|string, at_most?: integer|string, below?: integer|string, is?: any, any_of?: any[] } bounds, or values
---@return feira.promo.Condition
function promo.fact(name, tests) end

---The customer is new: registered no longer ago than `within` (`"30d"`), whatever he ordered since. Without it: he has no order yet, as
---`promo.first_order`. A guest is asked to sign in, here and by the words below.
---@param fields? { within: string? }
---@return feira.promo.Condition
function promo.new_customer(fields) end

---This would be the customer's first order. Orders count from when they are placed until they are cancelled or have expired; one that was
---refunded still counts. Of two that are placed at once only one can be the first.
---@return feira.promo.Condition
function promo.first_order() end

---This would be the customer's order number `n`, or one whose number `every` divides. They are counted as by `promo.first_order`.
---@param fields { n: integer?, every: integer? } one of them
---@return feira.promo.Condition
function promo.nth_order(fields) end

---@class feira.promo.Bought
---@field sku? feira.promo.Names products of these; several fields: all of them hold. As the catalogue has them now
---@field category? feira.promo.Names
---@field tag? feira.promo.Names
---@field brand? feira.promo.Names
---@field of? feira.promo.Selector any set of products
---@field at_least? integer|feira.promo.Money `3` units, or what was paid for them: `"500.00"`; default 1
---@field within? string of orders that were placed no longer ago than that: `"90d"`

---The customer bought so much before: what was paid for counts, less what went back, and nothing of this cart.
---`promo.bought { category = "tea", at_least = 3, within = "90d" }`
---@param fields? feira.promo.Bought
---@return feira.promo.Condition
function promo.bought(fields) end

---The shopper means to pay so: `promo.payment_method "wechat"`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Condition
function promo.payment_method(names, ...) end

---The cart is fetched or sold there: `promo.store { "north", "south" }`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Condition
function promo.store(names, ...) end

---On these days of the week, in the shop's zone: `promo.weekday { "saturday", "sunday" }`
---@param names feira.promo.Names monday ... sunday
---@param ... string
---@return feira.promo.Condition
function promo.weekday(names, ...) end

---Between these times of the day, in the shop's zone; over midnight when `to` is the earlier:
---`promo.time_of_day { from = "20:00", to = "22:00" }`
---@param spec { from: string, to: string }
---@return feira.promo.Condition
function promo.time_of_day(spec) end

---The cart comes through one of these channels: `promo.channel "till"`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Condition
function promo.channel(names, ...) end

---The cart is shipped to one of these regions: `promo.region { "GB", "IE" }`
---@param names feira.promo.Names
---@param ... string
---@return feira.promo.Condition
function promo.region(names, ...) end

---All of them hold; of selectors, the lines that are in all of them: `promo.all { promo.tag "gift", promo.category "tea" }`
---@generic T: feira.promo.Condition|feira.promo.Selector
---@param list T[]
---@param ... T
---@return T
function promo.all(list, ...) end

---One of them holds; of selectors, the lines that are in any of them.
---@generic T: feira.promo.Condition|feira.promo.Selector
---@param list T[]
---@param ... T
---@return T
function promo.any(list, ...) end

---None of them holds; of selectors, the lines that are in none of them: `promo.none { promo.category "services" }`
---@generic T: feira.promo.Condition|feira.promo.Selector
---@param list T[]
---@param ... T
---@return T
function promo.none(list, ...) end

---@class feira.promo.PercentOff: feira.promo.Units
---@field percent feira.promo.Percent
---@field cap? feira.promo.Money
---@field on? feira.promo.Selector
---@field base? "remaining"|"list"
---@field round? "line"|"unit"|"order"|"carry" what is rounded once (policy `round`); carry: lines, the error goes to the next

---A share off, rounded per line unless it is said otherwise: `promo.percent_off { percent = 20, cap = "50.00" }`; half off the cheapest:
---`promo.percent_off { percent = 50, max_units = 1, pick = "cheapest" }`
---@param spec feira.promo.PercentOff
---@return feira.promo.Action
function promo.percent_off(spec) end

---So many tenths are paid: `promo.zhe "8.5"` takes 15 % off.
---@param tenths string below "10", at most three decimals
---@param more? { cap?: feira.promo.Money, on?: feira.promo.Selector, base?: "remaining"|"list" }
---@return feira.promo.Action
function promo.zhe(tenths, more) end

---@class feira.promo.AmountOff: feira.promo.Units
---@field amount feira.promo.Money
---@field every? feira.promo.Money once for each so much
---@field cap? feira.promo.Money
---@field on? feira.promo.Selector
---@field per? "set"|"line"|"unit"|"each" off all of it (default), each line, each unit; each: as policy `each` says
---@field further? feira.promo.Money of each unit of a line after the first

---An amount off, split over the lines: `promo.amount_off { amount = "50.00", every = "300.00" }` is 50 off each full 300. Off each piece:
---`promo.amount_off { amount = "2.00", per = "unit" }`
---@param spec feira.promo.AmountOff
---@return feira.promo.Action
function promo.amount_off(spec) end

---@class feira.promo.BuyGet
---@field buy integer
---@field get integer
---@field percent? feira.promo.Percent off the units that are rewarded; default 100
---@field amount? feira.promo.Money off each of them, instead
---@field max_sets? integer
---@field max_units? integer at most so many are rewarded
---@field of? feira.promo.Selector what is bought; default: what is rewarded. A unit is one or the other
---@field on? feira.promo.Selector what is rewarded
---@field partial? boolean the last set may be rewarded in part
---@field pick? "cheapest"|"dearest" which are rewarded; default cheapest
---@field per? "set"|"line" line: each line by itself
---@field base? "remaining"|"list"

---Of every buy + get units the cheapest `get` are free, or `percent` off: `promo.buy_get { buy = 2, get = 1 }`; a cup for each pot:
---`promo.buy_get { buy = 1, get = 1, of = promo.sku "POT", on = promo.tag "cup" }`
---@param spec feira.promo.BuyGet
---@return feira.promo.Action
function promo.buy_get(spec) end

---A price per unit, of all units or of the dearest so many; what costs less stays: `promo.fixed_price { price = "9.90", max_units = 1 }`;
---with `per = "set"` of all of it together
---@param spec { price: feira.promo.Money, max_units?: integer, per?: "unit"|"set", on?: feira.promo.Selector }
---@return feira.promo.Action
function promo.fixed_price(spec) end

---Something that the customer gets later, from a plugin: what it is told in `what` when the order is paid (or completed). It takes
---nothing off, so it counts nothing where the cheapest set is looked for; a guest is asked to sign in. When all of the order goes back,
---the plugin is told to take it back. `promo.grant { to = "coupons", what = { campaign = "new20" } }`,
---`promo.grant { to = "points", what = { points = 100 } }`.
---@param spec { to: string, what: table, after?: "paid"|"completed", on?: feira.promo.Selector } after: default paid
---@return feira.promo.Action
function promo.grant(spec) end

---The order earns more points for its lines: `promo.points_multiplier { times = 2 }`, `{ times = "1.5", on = promo.tag "new" }`. Of the
---plugin `points`: when it gives and takes back what an order earns, this is part of it.
---@param spec { times: integer|string, on?: feira.promo.Selector } more than 1
---@return feira.promo.Action
function promo.points_multiplier(spec) end

---The second at half price: units from the dearest down, in groups of n, and the last of each group is reduced; among those of one SKU
---(default) or of all lines: `promo.nth_unit { n = 2, percent = 50, among = "scope" }` takes 60 off 100, 80, 60 and 40.
---@param spec { n: integer, percent: feira.promo.Percent, among?: "same_sku"|"scope", max_sets?: integer, on?: feira.promo.Selector }
---@return feira.promo.Action
function promo.nth_unit(spec) end

---The cheapest units are free, or `percent` off, whatever else is bought: `promo.cheapest_free { units = 1 }`
---@param spec? { units?: integer, percent?: feira.promo.Percent, on?: feira.promo.Selector }
---@return feira.promo.Action
function promo.cheapest_free(spec) end

---Any n units for a price: whole sets, the dearest units first, and no set becomes dearer: `promo.n_for { n = 3, price = "99.00" }` makes
---134 of 59, 49, 39 and 35.
---@param spec { n: integer, price: feira.promo.Money, max_sets?: integer, on?: feira.promo.Selector }
---@return feira.promo.Action
function promo.n_for(spec) end

---@class feira.promo.Bundle
---@field items { of: feira.promo.Selector, qty?: integer }[]
---@field price? feira.promo.Money for all of it; or
---@field percent? feira.promo.Percent off all of it
---@field max_sets? integer

---This and that together, for a price or so many percent off; whole bundles, of each part the dearest units that are left:
---`promo.bundle { items = { { of = promo.sku "POT" }, { of = promo.tag "cup", qty = 2 } }, price = "100.00" }`
---@param spec feira.promo.Bundle
---@return feira.promo.Action
function promo.bundle(spec) end

---@class feira.promo.Step
---@field at integer|feira.promo.Money from so many units, or from this amount
---@field give feira.promo.Action|feira.promo.Action[] no functions, no steps; with mode "each" one percent_off with only its percent

---@class feira.promo.Tiered
---@field by? "qty"|"amount"
---@field mode? "whole"|"each"
---@field steps feira.promo.Step[]
---@field below? feira.promo.Action|feira.promo.Action[] what holds under the first step
---@field on? feira.promo.Selector

---The more, the more off. `whole` (default): the highest step that is reached holds for all; `each`: every step for what lies between it
---and the next, units from the dearest down.
---
---```lua
---give = promo.tiered { by = "qty", steps = {
---  { at = 2, give = promo.percent_off { percent = 10 } },
---  { at = 5, give = { promo.percent_off { percent = 30 }, promo.free_shipping {} } },
---} }
---```
---@param spec feira.promo.Tiered
---@return feira.promo.Action
function promo.tiered(spec) end

---@class feira.promo.Gift
---@field sku string
---@field qty? integer default 1
---@field every? feira.promo.Money once for each so much of the campaign's lines; without it once
---@field every_qty? integer once for each so many units
---@field max_sets? integer with every or every_qty: so often at most
---@field on? feira.promo.Selector what every and every_qty measure; default: the campaign's scope
---@field when_none? "skip"|"refuse"|"substitute" when there is not enough of it: it is left out (default), or the cart can't be ordered
---@field substitute? string the SKU that is given instead

---Something that nobody put into the cart: a line at nought, with `gift = true` and the campaign as its `origin`. Thresholds do not count
---it, no other campaign sees it, what it weighs is not charged. In an order it is a line like any other: its stock is held, sold and given
---back. What is bought of the same SKU comes first. Several are a list; a mug for each full 300:
---`promo.gift { sku = "MUG-01", every = "300.00", max_sets = 3, when_none = "substitute", substitute = "MUG-02" }`
---
---A refund of what it was given for leaves it with the customer, unless all of that is refunded before the gift was sent. It can be sent
---back as any line, and is worth nothing then.
---@param spec feira.promo.Gift
---@return feira.promo.Action
function promo.gift(spec) end

---@class feira.promo.AddOn
---@field sku feira.promo.Names what can be added
---@field price feira.promo.Money of one unit; who pays less anyway goes on doing so
---@field max_units? integer how many units of all of them together have that price; default 1. Further units cost what they do
---@field every? feira.promo.Money so many units for each so much
---@field on? feira.promo.Selector what every measures; default: the campaign's scope

---An add-on (加价购): when the campaign's conditions hold, the customer may add something at a price of its own. The client sends the
---line with the campaign that it is taken from: `{ "sku": "MUG-01", "qty": 1, "from": "mug-addon" }`; `offers[]` names it. Such a line
---is in no threshold and no other campaign, whether it gets its price or not.
---
---```lua
---return promo.campaign {
---  id = "mug-addon", scope = promo.category "tea", when = promo.subtotal { at_least = "99.00" },
---  give = promo.add_on_price { sku = "MUG-01", price = "9.90" },
---}
---```
---@param spec feira.promo.AddOn
---@return feira.promo.Action
function promo.add_on_price(spec) end

---What units cost, SKU by SKU, tens of thousands of them: the campaign is of the stage price, so the old price is shown beside the
---new one, and discounts come after. A unit that costs less stays as it is, and a publish warns of it. Prices by SKU, or rows with
---`sku` and `price`, such as those of a table:
---
---```lua
---return promo.campaign { id = "trade", when = promo.customer_tag "trade", give = promo.price_list(promo.data "trade.csv") }
---```
---@param prices table<string, feira.promo.Money>|{ sku: string, price: feira.promo.Money }[]|{ prices: table }
---@return feira.promo.Action
function promo.price_list(prices) end

---A part off what shipping costs: `promo.shipping_off { percent = 50, cap = "8.00" }`, `promo.shipping_off { amount = "5.00" }`
---@param spec { percent?: feira.promo.Percent, amount?: feira.promo.Money, cap?: feira.promo.Money }
---@return feira.promo.Action
function promo.shipping_off(spec) end

---Shipping costs nothing.
---@param spec? {}
---@return feira.promo.Action
function promo.free_shipping(spec) end

---What the shop offers or says outside of its prices (a lottery, a reward, a post): no rule, but looked at like one before it goes live.
---@param spec { id: string, title?: string, window?: { from?: string, to?: string }, declares: feira.promo.Declares }
---@return table
function promo.announce(spec) end

---Reads a table beside the campaign files, which becomes part of the rules: the first line names the columns, each row is
---a table of strings. Only while a file is loaded.
---
---```lua
---local list = {}
---for i, row in ipairs(promo.data "flash.csv") do
---  list[i] = promo.campaign { id = "flash-" .. row.sku, scope = promo.sku(row.sku), give = promo.amount_off { amount = row.off } }
---end
---return list
---```
---@param name string "flash.csv"
---@return table<string, string>[]
function promo.data(name) end

return promo
