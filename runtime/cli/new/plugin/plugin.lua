-- What the plugin is, needs and contributes, as data: nothing of it runs when this file is read. Every key: runtime/rulebook/PLUGINS.md
return {
  name = "@NAME@", -- the name of this folder
  version = "0.1.0",
  api = 1,
  title = "@NAME@",
  about = "Say here in one sentence what a merchant gets from it.",

  -- What it may touch, and why. Not named, not had: collections, procedures, ledger, http, personal.
  needs = {},

  -- What the merchant fills in under plugins["@NAME@"] of shop.lua.
  settings = {
    percent = { type = "percent", default = 10, about = "Taken off every matching line." },
  },

  -- A campaign type of the plugin's own name. The function stands in rules.lua.
  campaigns = {
    ["@NAME@"] = { run = "rules.give", title = "@NAME@" },
  },
}
