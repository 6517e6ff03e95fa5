// Places one order as a guest, in the trace that is named, and prints its id.
// Usage: node order.js URL TRACE
const [url, trace] = process.argv.slice(2);

async function call(path, body, headers = {}) {
  const options = { method: body ? "POST" : "GET", headers: { "content-type": "application/json", ...headers } };
  const response = await fetch(url + path, { ...options, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function main() {
  const { products } = await call("/v1/products:search?query=shirt");
  const { accessToken } = await call("/v1/sessions:guest", {});
  const body = {
    lines: [{ variantId: products[0].variants[0].id, quantity: 1 }],
    email: "ada@example.com",
    shippingAddress: { recipient: "Ada", lines: ["Quay 7"], city: "Hamburg", countryCode: "DE" },
    paymentMethod: "sim_ok",
  };
  const { order } = await call("/v1/orders", body, {
    authorization: `Bearer ${accessToken}`,
    "idempotency-key": trace,
    traceparent: `00-${trace}-00f067aa0ba902b7-01`,
  });
  console.log(order.id);
}

main().catch((error) => {
  console.error(`tradewind: ${error.message}`);
  process.exit(1);
});
