-- Each rule is a setting: what a finding of it does, its numbers, and where they come from. Laws change: who changes a number here, or
-- finds it still right, says so in checked_on.
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
  return { type = "integer", min = 0, max = max or 1000000, default = default, about = about }
end

local function percent(default, about)
  return { type = "percent", min = 0, max = 100, default = default, about = about }
end

local PYRAMID = "禁止传销条例 (State Council order 444)"
local PRICES = "明码标价和禁止价格欺诈规定 (SAMR order 56)"
local PROMOTIONS = "规范促销行为暂行规定 (SAMR order 32)"
local ECOMMERCE = "电子商务法"
local CONSUMERS = "消费者权益保护法"
local TRADE = "网络交易监督管理办法 (SAMR order 37)"
local ADS = "广告法"
local ONLINE_ADS = "互联网广告管理办法 (SAMR order 72)"
local PERSONAL = "个人信息保护法 (PIPL)"
local CIVIL = "民法典"
local WECHAT = "微信小程序平台运营规范"

local offered = { "campaign", "announcement" }

return {
  name = "compliance-cn",
  version = "1.0.0",
  api = 1,
  title = "The law in China",
  about = "Holds campaigns, claims, rewards, texts and personal fields against the rules for online shops in mainland China.",
  settings = {
    license_url = { type = "string", max = 500, optional = true, about = "Where the home page shows the business licence (P37)." },
    wechat = { type = "boolean", default = true, about = "The shop is used inside of WeChat: its rules hold, too (P5, P5c)." },
    returns_except = words({ "custom", "fresh", "perishable", "opened_digital", "download", "newspaper" },
      "What need not be taken back within the days of P20, where the buyer confirmed it."),
    p1 = rule("block", "禁止传销条例 Art 7(3)", PYRAMID, "2005-11-01",
      { max_levels = whole(2, "How far from the buyer somebody may earn; every edge counts.", 10) }, "P1: levels that earn."),
    p2 = rule("block", "禁止传销条例 Art 7; prudence", PYRAMID, "2005-11-01", {
      max_payees = whole(3, "How many may earn by one order, beside the seller.", 20),
        max_total = percent(30, "What all of them may earn together."),
    }, "P2: how many earn, and how much."),
    p3 = rule("block", "禁止传销条例 Art 7(2)", PYRAMID, "2005-11-01", {
      forbidden = words({ "fee", "min_purchase", "deposit", "paid_membership", "goods_bundle" },
        "What nobody may have to give to become a promoter."),
    }, "P3: paying to take part."),
    p4 = rule("block", "禁止传销条例 Art 7(1)", PYRAMID, "2005-11-01", {
      forbidden = words({ "promoter_recruited", "member_recruited", "agent_joined", "team_size", "person_recruited" },
        "What nobody may be paid for."),
      invitations = words({ "invitee_registered", "invitee_first_order", "invitee_order_paid" },
        "Rewards for inviting a buyer: fixed, capped, on one level."),
    }, "P4: pay by heads."),
    p4b = rule("warn", "Filing standard of 组织、领导传销活动罪",
      "Supreme People's Procuratorate and Ministry of Public Security, filing standards", "2013-11-14", {
      members = whole(30, "Members below one person, from which on it is a crime.", 100000), depth = whole(3, "Levels below one person.",
        20),
      alarm_members = whole(20, "Members, from which on it is told early.", 100000),
    }, "P4b: the criminal line; asked at run time with { kind = \"relations\" }."),
    p5 = rule("block", "微信小程序平台运营规范 5.1; 外链规范 2.1.2", WECHAT, "2020-01-01", {
      forbidden = words({
        "share", "shared", "sharing", "share_to_group", "share_moments", "forward", "forwarded", "repost", "invite_sent",
      },
        "What no reward may be for: the act of sharing."),
      phrases = words({ "分享后", "转发领", "转发后", "分享领", "分享得", "邀请即送", "集赞" },
        "Words in texts that say so; found ones warn."),
    }, "P5: sharing that is paid for."),
    p5b = rule("warn", "微信小程序平台运营规范 5.3", WECHAT, "2020-01-01", {
      triggers = words({ "view", "click", "watch", "sign_in" }, "What no money may be paid for."),
    }, "P5b: money for looking."),
    p5c = rule("warn", "微信小程序平台运营规范 5.1", WECHAT, "2020-01-01",
      { max_people = whole(200, "How many a group may need.", 10000) }, "P5c: groups show their rules."),
    p6 = rule("block", "明码标价和禁止价格欺诈规定 Art 16; 规范促销行为暂行规定 Art 21", PRICES, "2022-07-01", {
      days = { type = "integer", min = 1, max = 90, default = 7, about = "The days before the start in which the lowest deal counts." },
      unsaid = { type = "choice", choices = { "block", "warn", "off" }, default = "warn",
        about = "A price off that names no base means the lowest deal of these days; the catalogue asks for more than that." },
    }, "P6: what a \"was\" price may be."),
    p8 = rule("block", "明码标价和禁止价格欺诈规定 Art 17", PRICES, "2022-07-01", {
      days = { type = "integer", min = 1, max = 90, default = 7,
        about = "The days before the start in which a price may not have been raised." },
    }, "P8: raised before it is lowered."),
    p9 = rule("block", "明码标价和禁止价格欺诈规定 Art 18", PRICES, "2022-07-01", nil,
      "P9: gifts have a name, a quantity and their real value."),
    p10 = rule("block", "明码标价和禁止价格欺诈规定 Art 8, 19, 20", PRICES, "2022-07-01", nil,
      "P10: one price everywhere, and no fee that is not shown."),
    p11 = rule("block", "规范促销行为暂行规定 Art 11-13, 17-19", PROMOTIONS, "2020-12-01", {
      max_prize = { type = "money", min = "0.00", default = "50000.00", about = "The dearest prize." },
      records_years = whole(2, "How long its records are kept.", 100),
    }, "P11: prizes."),
    p12 = rule("block", "明码标价和禁止价格欺诈规定 Art 20", PRICES, "2022-07-01", {
      unsaid = { type = "choice", choices = { "block", "warn", "off" }, default = "warn",
        about = "A campaign has a limit and declares nothing of it." },
    }, "P12: limits are shown."),
    p13 = rule("block", "民法典 Art 586, 587", CIVIL, "2021-01-01", {
      max_share = percent(20, "Of the price, as 定金."),
        seller_returns = whole(200, "Percent of it that a seller gives back who does not deliver.", 1000),
    }, "P13: deposits."),
    p14 = rule("warn", "规范促销行为暂行规定 Art 22", PROMOTIONS, "2020-12-01", nil,
      "P14: coupons and points say what they are worth, where and until when."),
    p15 = rule("block", "电子商务法 Art 19", ECOMMERCE, "2019-01-01", nil, "P15: nothing is added unless somebody chose it."),
    p16 = rule("block", "网络交易监督管理办法 Art 18", TRADE, "2021-05-01",
      { notice_days = whole(5, "Before a renewal.", 365) }, "P16: renewals."),
    p17 = rule("block", "电子商务法 Art 17; 反不正当竞争法 Art 8", ECOMMERCE, "2019-01-01", {
      names = words({ "virtual", "robot", "fake", "base_sales", "base_views", "sales_base", "ghost", "虚拟", "机器人" },
        "Settings and fields with these words in their names may not be above zero."),
    }, "P17: nobody and nothing is made up."),
    p18 = rule("block", "电子商务法 Art 17, 39", ECOMMERCE, "2019-01-01", {
      reasons = words({ "illegal", "insult", "advertising", "personal_data", "not_a_buyer" }, "Why a review may be taken away."),
    }, "P18: reviews."),
    p19 = rule("block", "消费者权益保护法 Art 53; 单用途商业预付卡管理办法", CONSUMERS, "2014-03-15", nil,
      "P19: money paid in before."),
    p20 = rule("block", "消费者权益保护法 Art 25", CONSUMERS, "2014-03-15", { days = whole(7, "From receipt.", 365) },
      "P20: goods can go back."),
    p22 = rule("block", "电子商务法 Art 49", ECOMMERCE, "2019-01-01", nil, "P22: an order that was placed is a contract."),
    p23 = rule("warn", "电子商务法 Art 49; prudence", ECOMMERCE, "2019-01-01", nil, "P23: an announced price is honoured."),
    p24 = rule("block", "广告法 Art 14; 互联网广告管理办法 Art 9; 电子商务法 Art 40", ONLINE_ADS, "2023-05-01", {
      label = { type = "string", max = 20, default = "广告", about = "What has to stand there." },
    }, "P24: advertising is labelled."),
    p25 = rule("block", "广告法 Art 9(3)", ADS, "2015-09-01", {
      words = words({
        "国家级", "世界级", "最高级", "最佳", "最优", "最好", "最先进", "最便宜", "最低价", "第一品牌", "全国第一", "全球第一", "行业第一", "全网最低",
        "史上最低", "顶级", "极品", "独一无二", "绝无仅有", "王牌",
      }, "Words that no text has."),
      except = words({}, "Texts in which they may stand, word for word: quotations of law, names."),
    }, "P25: superlatives."),
    p26 = rule("warn", "广告法 Art 11", ADS, "2015-09-01", {
      phrases = words({ "销量第一", "销量冠军", "排名第一", "好评率", "回购率" },
        "Words that claim a number; so do 12%, 3倍 and the like."),
    }, "P26: numbers name their source."),
    p27 = rule("block", "广告法 Art 28", ADS, "2015-09-01", nil, "P27: what is said agrees with what is known."),
    p28 = rule("block", "广告法 Art 38, 40", ADS, "2015-09-01", {
      endorser_age = whole(10, "Of who recommends.", 100), audience_age = whole(14, "Under which some goods are not advertised.", 100),
      goods = words({ "medicine", "health_food", "medical_device", "cosmetics", "alcohol", "beauty" }, "Those goods."),
    }, "P28: children."),
    p29 = rule("block", "广告法 Art 43, 44", ADS, "2015-09-01", nil, "P29: messages and pop-ups."),
    p30 = rule("warn", "互联网广告管理办法 Art 18", ONLINE_ADS, "2023-05-01", nil, "P30: where links lead."),
    p31 = rule("block", "PIPL Art 6", PERSONAL, "2021-11-01", nil, "P31: no more personal data than needed, each with its purpose."),
    p32 = rule("block", "PIPL Art 13, 23, 28, 29; 消费者权益保护法 Art 29", PERSONAL, "2021-11-01", {
      sensitive = words({ "id_number", "face", "location", "health", "bank_account", "child" },
        "Fields that are sensitive whatever is said of them."),
    }, "P32: consent."),
    p33 = rule("block", "PIPL Art 24; 电子商务法 Art 18", PERSONAL, "2021-11-01", {
      forbidden = words({ "device", "device_model", "past_spend", "refusal_propensity", "phone_model", "battery", "income" },
        "What no price may depend on."),
    }, "P33: prices by program."),
    p34 = rule("block", "PIPL Art 44-50; 电子商务法 Art 24", PERSONAL, "2021-11-01",
      { days = whole(15, "Working days in which a request is answered.", 365) }, "P34: what a person may ask for."),
    p35 = rule("block", "电子商务法 Art 31", ECOMMERCE, "2019-01-01",
      { days = whole(1096, "How long transactions are kept, from completion.", 36500) }, "P35: how long things are kept."),
    p37 = rule("warn", "电子商务法 Art 15", ECOMMERCE, "2019-01-01", nil, "P37: the licence on the home page."),
    p38 = rule("block", "电子商务法 Art 48; 未成年人保护法 Art 74", ECOMMERCE, "2021-06-01", {
      what = words({ "lottery", "recharge", "tipping" }, "What asks for the age."), adult = whole(18, "From which age on.", 100),
    }, "P38: minors."),
    approval = rule("block", "Shop's own rule", "three different people, none of them the author", "2026-01-01", nil,
      "Who approves is somebody else."),
  },
  checks = {
    p1 = { run = "selling.levels", of = offered,
      about = "P1: nobody earns further from the buyer than allowed, whatever the edge is called." },
    p1_paid = { run = "selling.levels", at = "runtime", of = { "reward" }, about = "P1, when it is paid." },
    p2 = { run = "selling.payees", of = offered, about = "P2: how many earn by one order, and how much." },
    p2_paid = { run = "selling.payees", at = "runtime", of = { "reward" }, about = "P2, when it is paid." },
    p3 = { run = "selling.entry", of = offered, about = "P3: nobody pays to take part." },
    p4 = { run = "selling.heads", of = offered, about = "P4: nobody is paid by heads." },
    p4_paid = { run = "selling.heads", at = "runtime", of = { "reward" }, about = "P4, when it is paid." },
    p4b = { run = "selling.relations", at = "runtime", of = { "relations" }, about = "P4b: how deep and how many." },
    p5 = { run = "selling.sharing", of = offered, about = "P5: nothing is given for sharing." },
    p5_paid = { run = "selling.sharing", at = "runtime", of = { "reward" }, about = "P5, when it is paid." },
    p5b = { run = "selling.looking", of = offered, about = "P5b: no money for looking." },
    p5c = { run = "selling.groups", of = offered, about = "P5c: groups show their rules." },
    p6 = { run = "prices.was", of = offered, about = "P6: was-prices are borne out by deals." },
    p6_catalogue = { run = "prices.catalogue", of = { "shop" },
      about = "P6: the prices that the catalogue compares with are borne out." },
    p6_shown = { run = "prices.shown", at = "runtime", of = { "price_claim" }, about = "P6, for one price that is shown." },
    p8 = { run = "prices.raised", of = offered, about = "P8: no price was raised just before." },
    p9 = { run = "prices.gifts", of = offered, about = "P9: gifts." },
    p10 = { run = "prices.fees", of = offered, about = "P10: every fee is shown." },
    p10_shown = { run = "prices.consistent", at = "runtime", of = { "price_shown" },
      about = "P10: list, detail and quote say one price." },
    p11 = { run = "promotions.lottery", of = offered, about = "P11: prizes." },
    p12 = { run = "promotions.limits", of = offered, about = "P12: limits are shown." },
    p13 = { run = "promotions.deposit", of = offered, about = "P13: deposits." },
    p13_placed = { run = "promotions.order_deposit", at = "runtime", of = { "order", "deposit" },
      about = "P13: the deposit of an order." },
    p14 = { run = "promotions.terms", of = offered, about = "P14: terms of coupons and points." },
    p15 = { run = "promotions.options", of = offered, about = "P15: nothing is on by default." },
    p16 = { run = "promotions.renewal", of = offered, about = "P16: renewals." },
    p17 = { run = "advertising.made_up", of = { "campaign", "announcement", "plugin" }, about = "P17: nobody is made up." },
    p17_member = { run = "advertising.member", at = "runtime", of = { "member" }, about = "P17: a member has an order." },
    p18 = { run = "advertising.reviews", of = offered, about = "P18: reviews." },
    p19 = { run = "promotions.stored_value", of = offered, about = "P19: money paid in." },
    p20 = { run = "promotions.returns", of = offered, about = "P20: goods can go back." },
    p20_refused = { run = "promotions.return_refused", at = "runtime", of = { "return" }, about = "P20: a return that is refused." },
    p22 = { run = "promotions.contract", of = offered, about = "P22: no rule voids an order." },
    p23 = { run = "promotions.honoured", of = offered, about = "P23: prices are honoured." },
    p24 = { run = "advertising.label", of = offered, about = "P24: advertising is labelled." },
    p25 = { run = "advertising.superlatives", of = offered, about = "P25: words." },
    p25_text = { run = "advertising.superlatives", at = "runtime", of = { "text" }, about = "P25, for one text." },
    p26 = { run = "advertising.numbers", of = offered, about = "P26: numbers." },
    p27 = { run = "advertising.false_claims", of = offered, about = "P27: what is said agrees with what is known." },
    p28 = { run = "advertising.children", of = offered, about = "P28: children." },
    p29 = { run = "advertising.messages", of = offered, about = "P29: messages and pop-ups." },
    p29_sent = { run = "advertising.message", at = "runtime", of = { "message" }, about = "P29, when one is sent." },
    p30 = { run = "advertising.links", of = offered, about = "P30: links." },
    p31 = { run = "personal.minimum", of = offered, about = "P31: personal fields." },
    p31_shop = { run = "personal.controller", of = { "shop" }, about = "P31: the shop says who answers for personal data." },
    p31_read = { run = "personal.minimum", at = "runtime", of = { "personal" }, about = "P31, for one field." },
    p32 = { run = "personal.consent", of = offered, about = "P32: consent." },
    p32_read = { run = "personal.consent", at = "runtime", of = { "personal" }, about = "P32, for one field." },
    p33 = { run = "personal.prices", of = offered, about = "P33: what prices depend on." },
    p34_shop = { run = "personal.answers", of = { "shop" }, about = "P34: the shop answers in time." },
    p34 = { run = "personal.rights", of = offered, about = "P34: rights." },
    p35 = { run = "personal.retention", of = offered, about = "P35: retention." },
    p37 = { run = "personal.licence", of = { "shop" }, about = "P37: the licence." },
    p38 = { run = "personal.minors", of = offered, about = "P38: minors." },
    approval = { run = "personal.approval", at = "runtime", of = { "approval" }, about = "Who approves is somebody else." },
  },
}
