// Prices the cart of the bench in process, with json-rules-engine saying which campaigns hold: the same twenty goods, ten campaigns and
// rounding as tests/bench/shop. What a campaign takes off is written here; the engine asks its conditions in the order of priority.
//   node rules_engine.cjs FOLDER-WITH-NODE_MODULES BODY SECONDS    prints {"rate", "total", "applied"}
const { createRequire } = require("node:module");
const [folder, text, seconds] = process.argv.slice(2);
const { Engine, Rule } = createRequire(`${folder}/`)("json-rules-engine");

const categories = ["tea", "mugs", "books", "gifts"];
const catalogue = new Map();
for (let i = 0; i < 20; i++) {
  const sku = `B-${String(i + 1).padStart(2, "0")}`;
  catalogue.set(sku, { sku, title: `Article number ${i + 1} of the bench`, category: categories[i % 4], spring: i % 3 === 0, price: 990 + 137 * i });
}

const costs = (set) => set.reduce((sum, line) => sum + line.remaining, 0);

function take(line, campaign, amount, units) {
  if (amount > 0) {
    line.remaining -= amount;
    line.discounts.push({ campaign, amount, units });
  }
  return amount;
}

// Largest remainder, ties to the earlier line.
function allocate(total, weights) {
  const sum = weights.reduce((a, b) => a + b, 0);
  let left = total;
  const rests = [];
  const out = weights.map((weight, i) => {
    const part = Math.floor((total * weight) / sum);
    rests[i] = total * weight - part * sum;
    left -= part;
    return part;
  });
  for (; left > 0; left--) {
    let best = 0;
    for (let i = 1; i < rests.length; i++) if (rests[i] > rests[best]) best = i;
    rests[best] = -1;
    out[best]++;
  }
  return out;
}

function percentOff(id, set, ppm, cap) {
  let shares = set.map((line) => Math.floor((line.remaining * ppm + 500000) / 1000000));
  const sum = shares.reduce((a, b) => a + b, 0);
  if (cap && sum > cap) shares = allocate(cap, shares);
  return set.reduce((off, line, i) => off + take(line, id, shares[i]), 0);
}

function amountOff(id, set, wanted) {
  const amount = Math.min(wanted, costs(set));
  if (amount <= 0) return 0;
  allocate(amount, set.map((line) => line.remaining)).forEach((share, i) => take(set[i], id, share));
  return amount;
}

function buyGet(id, set, buy, get) {
  let due = Math.floor(set.reduce((units, line) => units + line.qty, 0) / (buy + get)) * get, sum = 0;
  const order = set.map((line, at) => ({ line, at, each: line.remaining / line.qty })).sort((a, b) => a.each - b.each || a.at - b.at);
  for (const { line } of order) {
    const n = Math.min(line.qty, due);
    if (n === 0) break;
    due -= n;
    sum += take(line, id, Math.floor((line.remaining * n * 2 + line.qty) / (line.qty * 2)), n);
  }
  return sum;
}

const category = (name) => (line) => line.product.category === name;
const all = { all: [{ fact: "units", operator: "greaterThan", value: 0 }] };
const has = (fact) => ({ all: [{ fact, operator: "greaterThan", value: 0 }] });
const campaigns = [
  { id: "mugs-3-for-2", when: has("mugs"), scope: category("mugs"), give: (c, set) => buyGet(c.id, set, 2, 1) },
  { id: "tea-20", when: has("tea"), scope: category("tea"), give: (c, set) => percentOff(c.id, set, 200000, 1500) },
  { id: "spring", when: has("spring"), scope: (line) => line.product.spring, give: (c, set) => percentOff(c.id, set, 100000) },
  { id: "collector", when: has("favourites"), scope: (line) => line.sku === "B-03" || line.sku === "B-07", give: (c, set) => percentOff(c.id, set, 125000) },
  { id: "toys", when: has("toys"), scope: category("toys"), give: (c, set) => percentOff(c.id, set, 300000) },
  { id: "bulk", when: { all: [{ fact: "units", operator: "greaterThanInclusive", value: 40 }] }, give: (c, set) => percentOff(c.id, set, 30000) },
  { id: "every-100", when: all, give: (c, set) => amountOff(c.id, set, Math.min(Math.floor(costs(set) / 10000) * 500, 2500)) },
  { id: "code", when: { all: [{ fact: "codes", operator: "contains", value: "BENCH" }] }, give: (c, set) => amountOff(c.id, set, 800) },
  { id: "large", when: { all: [{ fact: "due", operator: "greaterThanInclusive", value: 500000 }] }, give: (c, set) => amountOff(c.id, set, 2000) },
  {
    id: "free-delivery", when: { all: [{ fact: "due", operator: "greaterThanInclusive", value: 5000 }] },
    give: (c, set, cart) => {
      cart.shipping.discounts.push({ campaign: c.id, amount: cart.shipping.total });
      const off = cart.shipping.total;
      cart.shipping.total = 0;
      return off;
    },
  },
];

let cart; // the one that is being priced: an engine's rules are made once
const engine = new Engine([], { allowUndefinedFacts: true });
engine.addFact("due", () => costs(cart.lines), { cache: false });
campaigns.forEach((c, i) =>
  engine.addRule(
    new Rule({
      conditions: c.when, priority: 100 - i, event: { type: c.id },
      onSuccess: () => {
        const amount = c.give(c, c.scope ? cart.lines.filter(c.scope) : cart.lines, cart);
        if (amount > 0) cart.applied.push({ id: c.id, applied: true, amount });
      },
    }),
  ),
);

async function price(body) {
  const asked = JSON.parse(body);
  const lines = asked.lines.map(({ sku, qty }) => {
    const product = catalogue.get(sku);
    return { sku, product, qty, subtotal: product.price * qty, remaining: product.price * qty, discounts: [] };
  });
  cart = { lines, applied: [], shipping: { option: "standard", amount: 495, discounts: [], total: 495 } };
  const count = (scope) => lines.filter(scope).length;
  await engine.run({
    units: lines.reduce((n, line) => n + line.qty, 0), codes: asked.codes.map((code) => code.toUpperCase()), tea: count(category("tea")), mugs: count(category("mugs")),
    toys: count(category("toys")), spring: count((line) => line.product.spring), favourites: count((line) => line.sku === "B-03" || line.sku === "B-07"),
  });
  const out = lines.map((line) => ({
    sku: line.sku, title: line.product.title, qty: line.qty, unit_price: line.product.price, subtotal: line.subtotal, discounts: line.discounts, total: line.remaining,
  }));
  return { text: JSON.stringify({ currency: "GBP", lines: out, shipping: cart.shipping, total: costs(lines) + cart.shipping.total, campaigns: cart.applied }), total: costs(lines) + cart.shipping.total };
}

(async () => {
  const { total } = await price(text);
  const applied = cart.applied.length;
  for (let i = 0; i < 2000; i++) await price(text); // warm
  const began = process.hrtime.bigint(), end = began + BigInt(Number(seconds) * 1e9);
  let n = 0;
  for (; process.hrtime.bigint() < end; n++) await price(text);
  console.log(JSON.stringify({ rate: n / (Number(process.hrtime.bigint() - began) / 1e9), total, applied }));
})();
