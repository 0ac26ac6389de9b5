// Prices the cart of the bench in process with @medusajs/promotion: what its service does once it has read the promotions from its database.
// It has no caps, no "for every" and no thresholds of what is left: where the bench's campaigns have them, the nearest that it has stands here, so
// its total is another one.
//   node medusa.cjs FOLDER-WITH-NODE_MODULES BODY SECONDS    prints {"rate", "total", "applied"}
const Module = require("node:module");
const [folder, text, seconds] = process.argv.slice(2);
const there = Module.createRequire(`${folder}/`);
const resolve = Module._resolveFilename; // the framework only passes these on
Module._resolveFilename = function (name, ...rest) {
  return name === "@medusajs/framework/utils" ? there.resolve("@medusajs/utils") : resolve.call(this, name, ...rest);
};
const path = require("node:path");
const home = path.dirname(there.resolve("@medusajs/promotion/package.json"));
const compute = require(path.join(home, "dist/utils/compute-actions"));

const categories = ["tea", "mugs", "books", "gifts"];
const catalogue = new Map();
for (let i = 0; i < 20; i++) {
  const sku = `B-${String(i + 1).padStart(2, "0")}`;
  catalogue.set(sku, { category: categories[i % 4], tag: i % 3 === 0 ? "spring" : "other", price: 990 + 137 * i });
}

const rule = (attribute, ...values) => ({ attribute, operator: "in", values: values.map((value) => ({ value })) });
const promotion = (code, type, allocation, value, target_rules = [], more = {}) => ({
  id: code, code, type: "standard", is_automatic: true, is_tax_inclusive: false, rules: [],
  application_method: { type, target_type: "items", allocation, value, max_quantity: allocation === "each" ? 1000000 : null, target_rules, buy_rules: [], ...more },
});
const promotions = [
  {
    ...promotion("mugs-3-for-2", "percentage", "each", 100, [rule("items.category", "mugs")], {
      buy_rules: [rule("items.category", "mugs")], buy_rules_min_quantity: 2, apply_to_quantity: 1, max_quantity: 1000000,
    }),
    type: "buyget",
  },
  promotion("tea-20", "percentage", "each", 20, [rule("items.category", "tea")]),
  promotion("spring", "percentage", "each", 10, [rule("items.tag", "spring")]),
  promotion("collector", "percentage", "each", 12.5, [rule("items.sku", "B-03", "B-07")]),
  promotion("toys", "percentage", "each", 30, [rule("items.category", "toys")]),
  promotion("bulk", "percentage", "each", 3),
  promotion("every-100", "fixed", "across", 2500),
  promotion("code", "fixed", "across", 800),
  promotion("free-delivery", "percentage", "across", 100, [], { target_type: "shipping_methods" }),
];

function price(body) {
  const asked = JSON.parse(body);
  const items = asked.lines.map(({ sku, qty }, i) => {
    const product = catalogue.get(sku);
    const subtotal = product.price * qty;
    return { id: `i${i}`, sku, quantity: qty, category: product.category, tag: product.tag, subtotal, original_total: subtotal, is_discountable: true };
  });
  const shipping = [{ id: "s", subtotal: 495, original_total: 495 }];
  const applied = new Map(), eligible = { buy: new Map(), target: new Map() };
  const actions = [];
  for (const p of promotions) {
    if (p.type === "buyget") actions.push(...compute.getComputedActionsForBuyGet(p, items, applied, eligible.buy, eligible.target));
    else if (p.application_method.target_type === "items") actions.push(...compute.getComputedActionsForItems(p, items, applied, p.application_method.allocation));
    else actions.push(...compute.getComputedActionsForShippingMethods(p, shipping, applied));
  }
  const off = actions.reduce((sum, action) => sum + Number(action.amount), 0);
  const total = items.reduce((sum, item) => sum + item.subtotal, 495) - off;
  return { text: JSON.stringify({ items, actions, total }), total: Math.round(total), applied: new Set(actions.map((a) => a.code)).size };
}

const { total, applied } = price(text);
for (let i = 0; i < 300; i++) price(text); // warm
const began = process.hrtime.bigint(), end = began + BigInt(Number(seconds) * 1e9);
let n = 0;
for (; process.hrtime.bigint() < end; n++) price(text);
console.log(JSON.stringify({ rate: n / (Number(process.hrtime.bigint() - began) / 1e9), total, applied }));
