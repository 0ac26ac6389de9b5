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
    most = { type = "percent", default = 30, about = "More than this is never taken off." },
  },

  -- A campaign type: a file of campaigns/ says return promo.use "@NAME@" { ... }. The function stands in rules.lua.
  campaigns = {
    ["@NAME@"] = {
      run = "rules.give",
      title = "@NAME@",
      fields = {
        id = { type = "string", max = 64, about = "The id of the campaign." },
        tag = { type = "string", max = 64, about = "Products with this tag." },
        percent = { type = "percent", about = "Taken off each of them." },
      },
    },
  },
}
