-- feira.privacy: the notice that follows from what is configured. It is made of the field catalogue (runtime/rulebook/privacy.h), so it
-- can't say less than what is kept: what is not in the catalogue is not stored, and nobody reads it.
local fail = require "feira.fail"
local json = require "feira.json"
local shop = require "feira.shop"
local sql = require "feira.sql"
local words = require "feira.privacy_words"

local privacy = {}

local DAY_MS, HOUR_MS = 86400000, 3600000
local YEAR_MS = 366 * DAY_MS
local LANGUAGES = { "en", "zh-CN" }

-- Those of other systems that are sent personal fields (4: removed).
local told = sql.statement "SELECT url, personal FROM webhook_endpoints WHERE state <> 4 AND personal <> '[]' ORDER BY id"

-- --- words -----------------------------------------------------------------------------------------------------------------

local function say(w, key, values)
  local text = w[key] or error("there are no words for " .. key)
  return (text:gsub("{(%w+)}", values or {}))
end

local function period(w, ms)
  local function counted(n, one, many) return say(w, n == 1 and one or many, { n = tostring(n) }) end
  if ms >= YEAR_MS and ms % YEAR_MS == 0 then return counted(ms // YEAR_MS, "year", "years") end
  if ms >= DAY_MS and ms % DAY_MS == 0 and ms > DAY_MS then return counted(ms // DAY_MS, "day", "days") end
  if ms >= HOUR_MS and ms % HOUR_MS == 0 then return counted(ms // HOUR_MS, "hour", "hours") end
  return say(w, "minutes", { n = tostring((ms + 59999) // 60000) })
end

-- A text of shop.lua, or one for each language.
local function in_language(text, lang)
  if type(text) ~= "table" then return text end
  return text[lang] or text.en or text["zh-CN"]
end

local function join(w, list) return table.concat(list, w.list_sep) end

local function field_words(w, field) return w["field_" .. field:gsub("%.", "_")] or field end

local function plugin_words(lang, plugin)
  local known = words.plugins[lang][plugin.plugin] or {}
  return known[1] or plugin.title, known[2]
end

-- --- what it says: a list of blocks -------------------------------------------------------------------------------------------

local function collected(catalogue, w, prefix)
  local out = {}
  for _, f in ipairs(catalogue.fields) do
    local is_one = f.collected and f.field:sub(1, #prefix) == prefix and f.field ~= "customer.phone_hash"
    if is_one then out[#out + 1] = field_words(w, f.field) end
  end
  return out
end

local function keeps_person(collection)
  for _, f in ipairs(collection.fields) do
    if f.type == "customer" or f.personal then return true end
  end
  return false
end

local function plugin_rows(rows, catalogue, w, lang)
  for _, plugin in ipairs(catalogue.plugins) do
    local title, what = plugin_words(lang, plugin)
    local names, said = {}, {}
    for _, c in ipairs(plugin.collections) do
      if keeps_person(c) then names[#names + 1] = (c.name:gsub("_", " ")) end
      for _, f in ipairs(c.fields) do
        local key = f.personal and f.name .. "\0" .. f.personal
        if key and not said[key] then
          said[key] = true
          rows[#rows + 1] = {
            say(w, "plugin_personal", { title = title, field = (f.name:gsub("_", " ")) }), f.personal, w.basis_contract,
            c.keep and period(w, c.keep.ms) or w.plugin_keep,
          }
        end
      end
    end
    if #names > 0 then
      rows[#rows + 1] = {
        say(w, "plugin_keeps", { title = title, what = what or join(w, names) }), w.plugin_why, w.basis_contract, w.plugin_keep,
      }
    end
  end
end

local function kept(catalogue, w, lang, periods)
  local function row(name, basis, fields)
    return { say(w, name, fields and { fields = join(w, fields) }), w[name:gsub("_bare", "") .. "_why"], w["basis_" .. basis],
      say(w, name:gsub("_bare", "") .. "_keep", periods) }
  end
  local account, delivery = collected(catalogue, w, "customer."), collected(catalogue, w, "order.")
  local rows = { #account > 0 and row("account", "contract", account) or row("account_bare", "contract") }
  if #delivery > 0 then rows[#rows + 1] = row("delivery", "contract", delivery) end
  rows[#rows + 1] = row("checkout", "contract")
  rows[#rows + 1] = row("orders", "law")
  rows[#rows + 1] = row("evidence", "interest")
  if #catalogue.purposes > 0 then rows[#rows + 1] = row("consents", "law") end
  plugin_rows(rows, catalogue, w, lang)
  rows[#rows + 1] = row("copies", "interest")
  return { head = { w.what, w.why, w.basis, w.how_long }, rows = rows }
end

local function titles_of_purposes(catalogue, lang)
  local out = {}
  for _, p in ipairs(catalogue.purposes) do out[p.name] = in_language(p.title, lang) end
  return out
end

-- order.contact is one need, and three fields of the catalogue.
local function seen_by(catalogue, w, lang)
  local lines, seen, titles = {}, {}, titles_of_purposes(catalogue, lang)
  for _, f in ipairs(catalogue.fields) do
    for _, r in ipairs(f.readers) do
      local field = f.field:find("^order%.contact%.") and "order.contact" or f.field
      local key = r.plugin .. " " .. field
      if f.collected and not seen[key] then
        seen[key] = true
        local line = say(w, "sees_line", { title = (plugin_words(lang, r)), field = field_words(w, field), purpose = r.purpose })
        if r.consent then
          line = line .. w.list_sep .. say(w, r.share and "sees_share" or "sees_consent", { purpose = titles[r.consent] })
        end
        lines[#lines + 1] = line
      end
    end
  end
  if #lines == 0 then lines[1] = w.sees_none end
  return lines
end

local function others(catalogue, w, lang)
  local lines = {}
  for _, plugin in ipairs(catalogue.plugins) do
    for _, h in ipairs(plugin.hosts) do
      local line = say(w, "host", { host = h.host, title = (plugin_words(lang, plugin)) })
      lines[#lines + 1] = h.why and line .. say(w, "host_why", { why = h.why }) or line
    end
  end
  for _, row in ipairs(told:rows()) do
    local fields = {}
    for i, name in ipairs(json.decode(row.personal)) do fields[i] = field_words(w, name) end
    lines[#lines + 1] = say(w, "webhook", { host = row.url:match "^%a+://([^/:]+)" or row.url, fields = join(w, fields) })
  end
  if #lines == 0 then lines[1] = w.others_none end
  return lines
end

local function purposes(catalogue, w, lang)
  local lines = {}
  for _, p in ipairs(catalogue.purposes) do
    local line = say(w, "purpose", { title = in_language(p.title, lang), version = p.version })
    local about = in_language(p.about, lang)
    if about then line = line .. w.list_sep .. about end
    if #p.third_parties > 0 then line = line .. w.stop .. " " .. say(w, "purpose_parties", { parties = join(w, p.third_parties) }) end
    lines[#lines + 1] = line
  end
  return lines
end

local function depends_on(catalogue, w, lang)
  local facts, seen = {}, {}
  for _, plugin in ipairs(catalogue.plugins) do
    if #plugin.facts > 0 and not seen[plugin.plugin] then
      seen[plugin.plugin] = true
      facts[#facts + 1] = (plugin_words(lang, plugin))
    end
  end
  local all = { w.decides_tags }
  if #facts > 0 then all[2] = say(w, "decides_orders", { facts = join(w, facts) }) end
  return say(w, "decides_text", { facts = join(w, all) })
end

local function deadline(catalogue, w)
  if catalogue.answer_within_ms then return say(w, "deadline_own", { days = tostring(catalogue.answer_within_ms // DAY_MS) }) end
  return w["deadline_" .. catalogue.law]
end

local function blocks(catalogue, name, w, lang)
  local keep = catalogue.keep
  local periods = {
    account = period(w, keep.account_ms), contact = period(w, keep.contact_ms), transactions = period(w, keep.transactions_ms),
    consents = period(w, keep.consents_ms), checkout = period(w, shop.checkout_ttl()),
  }
  local out = {
    { title = say(w, "title", { shop = name }) }, { heading = w.who },
    { text = catalogue.controller and say(w, "controller", { controller = catalogue.controller }) or w.nobody },
  }
  local function add(block) out[#out + 1] = block end
  if catalogue.contact then add { text = say(w, "contact", { contact = catalogue.contact }) } end
  add { heading = w.kept }
  add { grid = kept(catalogue, w, lang, periods) }
  add { text = w.nothing_else }
  add { heading = w.sees }
  add { list = seen_by(catalogue, w, lang) }
  add { heading = w.others }
  add { list = others(catalogue, w, lang) }
  if #catalogue.purposes > 0 then
    add { heading = w.asked }
    add { list = purposes(catalogue, w, lang) }
    add { text = w.purpose_free }
  end
  add { heading = w.decides }
  add { text = depends_on(catalogue, w, lang) }
  add { text = w.decides_same }
  add { heading = w.minors }
  add { text = w.minors_text }
  add { heading = w.rights }
  add { text = w.rights_text }
  add { list = { w.right_export, w.right_correct, w.right_erase, w.right_withdraw, w.right_object, w.right_complain } }
  add { text = deadline(catalogue, w) }
  add { heading = w.after }
  add { text = say(w, "after_text", periods) }
  add { text = w.after_copies }
  return out
end

-- --- how it looks ---------------------------------------------------------------------------------------------------------------

local WIDTH = 96

-- Lines of at most WIDTH columns; what has no blanks (Chinese) is left to the terminal.
local function wrapped(text, indent, rest)
  local lines, line, is_begun = {}, indent, false
  for word in text:gmatch "%S+" do
    if is_begun and #line + #word + 1 > WIDTH then
      lines[#lines + 1] = line
      line, is_begun = rest, false
    end
    line = is_begun and line .. " " .. word or line .. word
    is_begun = true
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function as_text(all)
  local out = {}
  local function add(line) out[#out + 1] = line end
  for _, b in ipairs(all) do
    if b.title then
      add(b.title)
      add(("="):rep(math.min(WIDTH, utf8.len(b.title))))
    elseif b.heading then
      add("\n" .. b.heading)
      add(("-"):rep(math.min(WIDTH, utf8.len(b.heading))))
    elseif b.text then
      add(wrapped(b.text, "", ""))
    elseif b.list then
      for _, item in ipairs(b.list) do add(wrapped(item, "  - ", "    ")) end
    else
      for _, row in ipairs(b.grid.rows) do
        add(wrapped(row[1], "  * ", "    "))
        for i = 2, #row do add(wrapped(row[i], "      " .. b.grid.head[i] .. ": ", "        ")) end
      end
    end
  end
  return table.concat(out, "\n") .. "\n"
end

local function as_markdown(all)
  local out = {}
  local function add(line) out[#out + 1] = line end
  local function cell(text) return (text:gsub("|", "\\|"):gsub("<", "&lt;")) end
  for _, b in ipairs(all) do
    if b.title then
      add("# " .. cell(b.title) .. "\n")
    elseif b.heading then
      add("## " .. cell(b.heading) .. "\n")
    elseif b.text then
      add(cell(b.text) .. "\n")
    elseif b.list then
      for _, item in ipairs(b.list) do add("- " .. cell(item)) end
      add ""
    else
      add("| " .. table.concat(b.grid.head, " | ") .. " |")
      add("|" .. ("---|"):rep(#b.grid.head))
      for _, row in ipairs(b.grid.rows) do
        local cells = {}
        for i, text in ipairs(row) do cells[i] = cell(text) end
        add("| " .. table.concat(cells, " | ") .. " |")
      end
      add ""
    end
  end
  return table.concat(out, "\n")
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local STYLE = "body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.55 system-ui,sans-serif;color:#222}"
  .. "h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
  .. "td,th{border-bottom:1px solid #ddd;padding:.5rem .6rem .5rem 0;text-align:left;vertical-align:top}"

local function as_html(all, lang)
  local out = {}
  local function add(line) out[#out + 1] = line end
  local function safe(text) return (text:gsub("[&<>\"']", ENTITIES)) end
  local function cells(row, tag)
    for _, text in ipairs(row) do add(("<%s>%s</%s>"):format(tag, safe(text), tag)) end
  end
  add(('<!doctype html>\n<html lang="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'):format(lang))
  add(("<title>%s</title><style>%s</style></head><body>"):format(safe(all[1].title), STYLE))
  for _, b in ipairs(all) do
    if b.title then
      add("<h1>" .. safe(b.title) .. "</h1>")
    elseif b.heading then
      add("<h2>" .. safe(b.heading) .. "</h2>")
    elseif b.text then
      add("<p>" .. safe(b.text) .. "</p>")
    elseif b.list then
      add "<ul>"
      for _, item in ipairs(b.list) do add("<li>" .. safe(item) .. "</li>") end
      add "</ul>"
    else
      add "<table><tr>"
      cells(b.grid.head, "th")
      add "</tr>"
      for _, row in ipairs(b.grid.rows) do
        add "<tr>"
        cells(row, "td")
        add "</tr>"
      end
      add "</table>"
    end
  end
  add "</body></html>"
  return table.concat(out, "\n") .. "\n"
end

local FORMS = { text = as_text, markdown = as_markdown, html = as_html }

-- --- the route -------------------------------------------------------------------------------------------------------------------

local function language(asked)
  if not asked then return "en" end
  for _, lang in ipairs(LANGUAGES) do
    if lang:lower() == asked:lower() or lang:sub(1, 2):lower() == asked:lower() then return lang end
  end
  fail.invalid("lang", "The notice is there in en and zh-CN.")
end

-- What a merchant should still say; nobody else is told.
local function missing(catalogue)
  local out = {}
  if not catalogue.controller then out[#out + 1] = "privacy.controller of shop.lua: who answers for personal data, with an address" end
  if not catalogue.contact then out[#out + 1] = "privacy.contact of shop.lua: where a person writes to" end
  return out
end

---The notice, with the catalogue that it is made of.
---@param args { query: { lang: string?, form: string? }, principal: table, shop: { name: string } }
function privacy.notice(args)
  local catalogue, lang = shop.privacy(), language(args.query.lang)
  local form = args.query.form or "text"
  local render = FORMS[form] or fail.invalid("form", "The forms are text, markdown and html.")
  return {
    status = 200,
    body = json.object("shop", args.shop.name, "lang", lang, "form", form,
      "text", render(blocks(catalogue, args.shop.name, words[lang], lang), lang),
      "missing", json.array(missing(catalogue)), "fields", json.array(catalogue.fields), "purposes", json.array(catalogue.purposes),
      "keep", catalogue.keep, "law", catalogue.law),
  }
end

return privacy
