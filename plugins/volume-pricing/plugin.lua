return {
  name = "volume-pricing",
  version = "1.0.0",
  api = 1,
  title = "Volume pricing",
  about = "Unit prices by quantity, by group of customers and by date, never below a floor.",
  settings = {
    steps = {
      type = "list", max = 100, default = {}, about = "Cheaper from a quantity on, for one SKU. The largest one reached holds.",
      of = { type = "record", fields = {
        sku = { type = "sku", about = "The product." },
        from = { type = "integer", min = 1, max = 1000000, about = "From how many pieces in one line." },
        price = { type = "money", about = "The price of each piece." },
      } },
    },
    groups = {
      type = "list", max = 100, default = {}, about = "Prices of a group of customers, told by a tag of theirs.",
      of = { type = "record", fields = {
        tag = { type = "string", max = 64, about = "The customers' tag." },
        sku = { type = "sku", optional = true, about = "One product; left out: all." },
        price = { type = "money", optional = true, about = "The price of each piece; needs a sku." },
        off = { type = "percent", optional = true, max = 100, about = "Or so much off the list price." },
      } },
    },
    schedule = {
      type = "list", max = 100, default = {}, about = "Prices for a time.",
      of = { type = "record", fields = {
        sku = { type = "sku", about = "The product." },
        price = { type = "money", about = "The price of each piece." },
        from = { type = "time", about = "From when, in the shop's zone." },
        to = { type = "time", about = "Until when." },
      } },
    },
    floor = { type = "percent", max = 100, default = 0, about = "No price goes below this part of the list price." },
  },
  pricing = { unit_price = "rules.unit_price" },
}
