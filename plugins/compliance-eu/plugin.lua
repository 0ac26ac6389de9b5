-- Each rule is a setting: what a finding of it does, its numbers, and where they come from. Directives are made law by each member state,
-- and some of them leave a choice: those are settings, too. Who changes a number here, or finds it still right, says so in checked_on.
local function rule(level, article, source, effective_from, fields, about)
  fields = fields or {}
  fields.level = {
    type = "choice", choices = { "block", "warn", "label", "off" }, default = level,
    about = "What a finding does: it blocks, warns, passes with a label, or is not looked for.",
  }
  fields.article = { type = "string", max = 200, default = article, about = "Where it is written; each finding names it." }
  fields.source = { type = "string", max = 300, default = source, about = "Where that was read." }
  fields.effective_from = { type = "string", max = 10, default = effective_from, about = "Since when that text is in force." }
  fields.checked_on = { type = "string", max = 10, default = "2026-11-22",
    about = "When somebody last held the numbers against the text." }
  return { type = "record", default = {}, fields = fields, about = about }
end

local function words(default, about)
  return { type = "list", max = 500, of = { type = "string", max = 100 }, default = default, about = about }
end

local function whole(default, about, max)
  return { type = "integer", min = 0, max = max or 100000, default = default, about = about }
end

local function flag(default, about)
  return { type = "boolean", default = default, about = about }
end

local PRICES = "Directive 98/6/EC Art 6a, as amended by Directive (EU) 2019/2161; Commission notice 2021/C 526/02; CJEU C-330/23"
local UNFAIR = "Directive 2005/29/EC, Annex I"
local RIGHTS = "Directive 2011/83/EU"
local GDPR = "Regulation (EU) 2016/679"
local PRIVACY = "Directive 2002/58/EC"
local COMMERCE = "Directive 2000/31/EC"

local offered = { "campaign", "announcement" }

return {
  name = "compliance-eu",
  version = "1.0.0",
  api = 1,
  title = "The law in the European Union",
  about = "Holds campaigns, price claims, rewards, texts and personal fields against the rules for online shops in the European Union.",
  settings = {
    imprint_url = { type = "string", max = 500, optional = true, about = "Where the shop says who runs it (P37)." },
    p1 = rule("block", "UCPD Annex I no. 14", UNFAIR, "2007-12-12",
      { max_levels = whole(2, "How far from the buyer somebody may earn; every edge counts.", 10) }, "P1: levels that earn."),
    p3 = rule("block", "UCPD Annex I no. 14", UNFAIR, "2007-12-12", {
      forbidden = words({ "fee", "min_purchase", "deposit", "paid_membership", "goods_bundle" },
        "What nobody may have to give for the chance to earn."),
    }, "P3: paying to take part."),
    p4 = rule("block", "UCPD Annex I no. 14", UNFAIR, "2007-12-12", {
      forbidden = words({ "promoter_recruited", "member_recruited", "agent_joined", "team_size", "person_recruited" },
        "What nobody may be paid for."),
    }, "P4: pay by heads."),
    p7 = rule("block", "Price Indication Directive Art 6a; CJEU C-330/23", PRICES, "2022-05-28", {
      days = { type = "integer", min = 1, max = 90, default = 30,
        about = "The days before the reduction in which the lowest price counts." },
      deals = flag(true, "What was really paid after discounts counts, too, and not only the price of the catalogue."),
      unsaid = { type = "choice", choices = { "block", "warn", "off" }, default = "warn",
        about = "A price off without a claim, while the catalogue asks for more than the lowest price of these days." },
      perishable = flag(true, "This member state leaves goods that spoil out."),
      progressive = flag(true, "This member state takes the price before the first of several steps."),
      new_days = whole(30, "On sale for fewer days than this: the lowest price since then counts.", 90),
    }, "P7: the prior price."),
    p10 = rule("block", "CRD Art 6(1)(e)", RIGHTS, "2014-06-13", nil, "P10: every fee is shown."),
    p11 = rule("block", "UCPD Annex I no. 19", UNFAIR, "2007-12-12", nil, "P11: prizes are awarded as they were described."),
    p12 = rule("block", "UCPD Annex I no. 5, 7", UNFAIR, "2007-12-12", nil, "P12: limits are true, and countdowns end."),
    p15 = rule("block", "CRD Art 22", RIGHTS, "2014-06-13", nil, "P15: nothing is added unless somebody chose it."),
    p16 = rule("warn", "CRD Art 8(2), 11a; national law on renewals", RIGHTS, "2014-06-13", nil, "P16: leaving is as easy as joining."),
    p17 = rule("block", "UCPD Annex I no. 23c; Art 6", UNFAIR, "2022-05-28", {
      names = words({ "virtual", "robot", "fake", "base_sales", "base_views", "sales_base", "ghost" },
        "Settings and fields with these words in their names may not be above zero."),
    }, "P17: nobody and nothing is made up."),
    p18 = rule("block", "UCPD Annex I no. 23b, 23c; Art 7(6)", UNFAIR, "2022-05-28", {
      reasons = words({ "illegal", "insult", "advertising", "personal_data", "not_a_buyer" }, "Why a review may be taken away."),
    }, "P18: reviews."),
    p20 = rule("block", "CRD Art 9, 16", RIGHTS, "2014-06-13", {
      days = whole(14, "From receipt.", 365),
      except = words({ "custom", "perishable", "sealed_hygiene", "sealed_media", "newspaper", "digital_begun", "dated_service" },
        "What need not be taken back, where the buyer was told."),
    }, "P20: withdrawal."),
    p24 = rule("block", "E-Commerce Directive Art 6; UCPD Annex I no. 11, 11a", COMMERCE, "2022-05-28", {
      labels = words({ "Ad", "Advertisement", "Sponsored", "Anzeige", "Werbung", "Publicité", "Publicidad", "Pubblicità", "Reklama" },
        "What may stand there."),
    }, "P24: advertising is labelled."),
    p26 = rule("warn", "UCPD Art 6, 12", UNFAIR, "2007-12-12", nil, "P26: numbers name their source."),
    p28 = rule("block", "UCPD Annex I no. 28; DSA Art 28(2)", UNFAIR, "2024-02-17",
      { audience_age = whole(18, "Under which advertising does not follow a person.", 100) }, "P28: children."),
    p29 = rule("block", "ePrivacy Directive Art 13", PRIVACY, "2003-10-31", nil, "P29: messages."),
    p31 = rule("block", "GDPR Art 5(1)(b), (c), 13", GDPR, "2018-05-25", nil,
      "P31: no more personal data than needed, each with its purpose."),
    p32 = rule("block", "GDPR Art 6, 7, 8, 9", GDPR, "2018-05-25", {
      special = words({ "health", "religion", "ethnicity", "union", "sexual", "biometric", "face", "genetic", "politic" },
        "Fields that are special whatever is said of them."),
      bases = words({ "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests" },
        "Why data may be had at all."),
      child_age = whole(16, "Under which a parent agrees; member states may say 13 to 16.", 18),
    }, "P32: a basis, and consent."),
    p33 = rule("block", "CRD Art 6(1)(ea); GDPR Art 22", RIGHTS, "2022-05-28", {
      personal = words({ "device", "past_spend", "location", "browsing", "refusal_propensity", "income", "phone_model" },
        "A price by these is a personal price."),
    }, "P33: personal prices are said to be."),
    p34 = rule("block", "GDPR Art 12(3), 15, 17, 20", GDPR, "2018-05-25", { days = whole(30, "In which a request is answered.", 90) },
      "P34: what a person may ask for."),
    p37 = rule("warn", "E-Commerce Directive Art 5", COMMERCE, "2002-01-17", nil, "P37: who runs the shop."),
  },
  checks = {
    p1 = { run = "selling.levels", of = offered, about = "P1: nobody earns further from the buyer than allowed." },
    p1_paid = { run = "selling.levels", at = "runtime", of = { "reward" }, about = "P1, when it is paid." },
    p3 = { run = "selling.entry", of = offered, about = "P3: nobody pays to take part." },
    p4 = { run = "selling.heads", of = offered, about = "P4: nobody is paid by heads." },
    p4_paid = { run = "selling.heads", at = "runtime", of = { "reward" }, about = "P4, when it is paid." },
    p7 = { run = "prices.prior", of = offered, about = "P7: reductions go by the lowest price of thirty days." },
    p7_catalogue = { run = "prices.catalogue", of = { "shop" },
      about = "P7: the prices that the catalogue compares with are borne out." },
    p7_shown = { run = "prices.shown", at = "runtime", of = { "price_claim" }, about = "P7, for one price that is shown." },
    p10 = { run = "promises.fees", of = offered, about = "P10: every fee is shown." },
    p11 = { run = "promises.lottery", of = offered, about = "P11: prizes." },
    p12 = { run = "promises.limits", of = offered, about = "P12: limits are true." },
    p15 = { run = "promises.options", of = offered, about = "P15: nothing is on by default." },
    p16 = { run = "promises.renewal", of = offered, about = "P16: renewals." },
    p17 = { run = "promises.made_up", of = { "campaign", "announcement", "plugin" }, about = "P17: nobody is made up." },
    p18 = { run = "promises.reviews", of = offered, about = "P18: reviews." },
    p20 = { run = "promises.returns", of = offered, about = "P20: withdrawal." },
    p20_refused = { run = "promises.return_refused", at = "runtime", of = { "return" }, about = "P20: a return that is refused." },
    p24 = { run = "promises.label", of = offered, about = "P24: advertising is labelled." },
    p26 = { run = "promises.numbers", of = offered, about = "P26: numbers." },
    p28 = { run = "promises.children", of = offered, about = "P28: children." },
    p29 = { run = "promises.messages", of = offered, about = "P29: messages." },
    p29_sent = { run = "promises.message", at = "runtime", of = { "message" }, about = "P29, when one is sent." },
    p31 = { run = "personal.minimum", of = offered, about = "P31: personal fields." },
    p31_shop = { run = "personal.controller", of = { "shop" }, about = "P31: the shop says who answers for personal data." },
    p31_read = { run = "personal.minimum", at = "runtime", of = { "personal" }, about = "P31, for one field." },
    p32 = { run = "personal.basis", of = offered, about = "P32: a basis, and consent." },
    p32_read = { run = "personal.consented", at = "runtime", of = { "personal" }, about = "P32, for one field." },
    p33 = { run = "personal.prices", of = offered, about = "P33: personal prices." },
    p34_shop = { run = "personal.answers", of = { "shop" }, about = "P34: the shop answers in time." },
    p34 = { run = "personal.rights", of = offered, about = "P34: rights." },
    p37 = { run = "personal.imprint", of = { "shop" }, about = "P37: who runs the shop." },
  },
}
