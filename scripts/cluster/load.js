// Customers who place orders at a steady rate, whatever happens to what serves them, and note how each went. A customer
// whose call finds nobody calls again with the same idempotency key, for a minute; then the order has failed.
// Usage: node load.js URL RATE NOTES    until SIGTERM; then every order is looked up once more
const fs = require("node:fs");

const [url, rate, notes] = process.argv.slice(2);
const PATIENCE = 60_000;
// One customer buys a few times, and then another comes.
const ORDERS_OF_A_CUSTOMER = 5;
// Whoever is not answered within this hangs up, and calls again.
const ONE_CALL = 10_000;

const file = fs.openSync(notes, "a");
const note = (line) => fs.writeSync(file, `${JSON.stringify(line)}\n`);
const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));

// What a later try may still be answered; all else is an answer.
const LATER = new Set(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED"]);

class Refused extends Error {}

// Calls until there is an answer; notes what each try before it met with.
async function call(method, path, { token, key, body, met, until }) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  for (let tries = 1; ; tries += 1) {
    const answer = await once(method, path, headers, body);
    if (answer.value) return answer.value;
    met.push(answer.failure);
    if (!answer.later) throw new Refused(answer.failure);
    if (Date.now() > until) throw new Error(answer.failure);
    await wait(Math.random() * Math.min(50 * 2 ** tries, 2_000));
  }
}

async function once(method, path, headers, body) {
  let response;
  let text;
  try {
    const signal = AbortSignal.timeout(ONE_CALL);
    response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body), signal });
    text = await response.text();
  } catch (error) {
    return { failure: error.cause?.code ?? error.name, later: true };
  }
  if (response.ok) return { value: JSON.parse(text) };
  return refusal(response.status, text);
}

// As the gateway writes it, in Google's error model: its status, and the reason among its details.
function refusal(status, text) {
  try {
    const { error } = JSON.parse(text);
    const reason = error.details?.find((detail) => detail.reason)?.reason;
    return { failure: reason ? `${error.status} ${reason}` : error.status, later: LATER.has(error.status) };
  } catch {
    return { failure: `HTTP ${status}`, later: status === 502 || status === 503 };
  }
}

async function customer(variants) {
  const met = [];
  const until = Date.now() + PATIENCE;
  const { accessToken } = await call("POST", "/v1/sessions:guest", { body: {}, met, until });
  return { token: accessToken, variants, left: ORDERS_OF_A_CUSTOMER, met };
}

const ADDRESS = { recipient: "Ada", lines: ["Quay 7"], city: "Hamburg", countryCode: "DE" };
const placed = [];
const idle = [];
let number = 0;

// One order of one customer: every third through a cart, so that the cart's service is part of it. Whoever buys from a
// cart buys once: 0.1.0 takes out of it what was put in after an order, when its cart hears of the order later.
async function buy(variants) {
  const begun = Date.now();
  const own = (number += 1);
  const key = `load-${process.pid}-${own}`;
  const until = begun + PATIENCE;
  const met = [];
  try {
    const byCart = own % 3 === 0;
    const buyer = (byCart ? undefined : idle.pop()) ?? (await customer(variants));
    met.push(...buyer.met.splice(0));
    const line = { variantId: variants[own % variants.length], quantity: 1 };
    const { token } = buyer;
    const body = { email: "ada@example.com", shippingAddress: ADDRESS, paymentMethod: "sim_ok" };
    if (byCart) await call("POST", "/v1/cart/lines", { token, key: `${key}-line`, body: line, met, until });
    else body.lines = [line];
    const { order } = await call("POST", "/v1/orders", { token, key, body, met, until });
    placed.push({ id: order.id, token });
    note({ begun, ended: Date.now(), met, id: order.id, state: order.payment?.state });
    buyer.left -= 1;
    if (!byCart && buyer.left > 0) idle.push(buyer);
  } catch (error) {
    note({ begun, ended: Date.now(), met, failed: `${error.message}` });
  }
}

// Whether each order that was answered is there, and paid.
async function lookUp({ id, token }) {
  const met = [];
  try {
    const order = await call("GET", `/v1/orders/${id}`, { token, met, until: Date.now() + PATIENCE });
    if (order.payment?.state !== "STATE_PAID") note({ lost: id, failed: `its payment is ${order.payment?.state}` });
  } catch (error) {
    note({ lost: id, failed: error.message });
  }
}

async function main() {
  const met = [];
  const until = Date.now() + PATIENCE;
  const { products } = await call("GET", "/v1/products:search?query=shirt", { met, until });
  const variants = products.flatMap((product) => product.variants.map(({ id }) => id));
  const running = new Set();
  let ending = false;
  process.on("SIGTERM", () => (ending = true));
  // By the clock and not by the last answer: slow answers do not slow the customers.
  let next = Date.now();
  while (!ending) {
    next += 1000 / Number(rate);
    await wait(Math.max(0, next - Date.now()));
    const order = buy(variants);
    running.add(order);
    order.finally(() => running.delete(order));
  }
  await Promise.all(running);
  while (placed.length > 0) await Promise.all(placed.splice(0, 20).map(lookUp));
}

main().catch((error) => {
  console.error(`tradewind: the customers gave up: ${error.message}`);
  process.exit(1);
});
