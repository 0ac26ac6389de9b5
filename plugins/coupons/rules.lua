-- What rules know of coupons, and what a campaign with the key `coupon` asks for.
local promo = require "feira.promo"

local rules = {}

---The campaigns of which there is a coupon that can be used now.
function rules.held(rows, about)
  local names, seen = {}, {}
  for _, row in ipairs(rows) do
    if not seen[row.campaign] and (not row.expires or about.now < row.expires) then
      seen[row.campaign] = true
      names[#names + 1] = row.campaign
    end
  end
  return names
end

-- Only those who hold one, or have typed a code for one, get as far as the function.
function rules.coupon(fields)
  local id = fields.id
  return {
    when = {
      promo.any { promo.fact("coupons.held", { has = id }), promo.fact("coupons.typed", { has = id }) },
      function(cart)
        local use = cart:input "use"
        if use == nil then return true end
        for _, wanted in ipairs(use) do
          if wanted == id then return true end
        end
        return false
      end,
    },
  }
end

return rules
