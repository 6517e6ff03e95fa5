// A purchase that begins with a click: whoever watches the page gives it the trace that the click is in.
import { connectTradewind, tokensInMemory } from "@tradewind/sdk";

/** Buys a shirt within a trace, given as W3C's `traceparent`; the id of the order. */
export async function click(baseUrl: string, traceparent: string): Promise<string> {
  const shop = connectTradewind({ baseUrl, tokens: tokensInMemory() });
  await shop.users.startGuestSession({});
  const { products } = await shop.catalog.searchProducts({ query: "shirt", inStock: true });
  const variantId = products[0]?.variants[0]?.id ?? "";
  const order = {
    lines: [{ variantId, quantity: 1n }],
    email: "ada@example.com",
    shippingAddress: { recipient: "Ada", lines: ["Quay 7"], city: "Hamburg", countryCode: "DE" },
    paymentMethod: "sim_ok",
  };
  const placed = await shop.orders.placeOrder(order, { headers: { traceparent } });
  return placed.order?.id ?? "";
}
