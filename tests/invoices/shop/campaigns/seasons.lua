-- What has its time.
local promo = require "feira.promo"

local function season(id, title, from, to, percent, scope)
  return promo.campaign {
    id = id,
    title = title .. ": " .. percent .. "% off",
    window = { from = from, to = to },
    scope = scope,
    give = promo.percent_off { percent = percent },
  }
end

local hearts = promo.all { promo.category "home/decoration", promo.tag "heart" }

return {
  season("clearance", "Christmas is over", "2010-12-24", "2011-02-01", 40, promo.category "seasonal/christmas"),
  season("valentine", "Hearts for Valentine's day", "2011-01-24", "2011-02-15", 8, hearts),
  season("mothers-day", "Roses for Mothering Sunday", "2011-03-14", "2011-04-04", 8, promo.tag "rose"),
  season("easter", "Easter", "2011-04-01", "2011-04-27", 15, promo.category "seasonal/easter"),
  season("royal-wedding", "Union Jacks for the wedding", "2011-04-11", "2011-04-30", 10, promo.tag "union-jack"),
  season("picnic", "Picnics", "2011-06-01", "2011-08-01", 10, promo.tag "picnic"),
  season("garden", "Into the garden", "2011-03-20", "2011-06-01", 6, promo.category "garden"),
  season("back-to-school", "Lunch boxes and pencils for school", "2011-08-08", "2011-09-12", 10, promo.tag { "lunch-box", "pencils" }),
}
