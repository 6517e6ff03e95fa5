// One purchase as a shop makes it, from search to paid order. It runs wherever the SDK does, so it uses
// nothing else, and tells what it saw for the test to judge.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  connectTradewind,
  failureOf,
  formatMoney,
  newKey,
  type Order,
  Order_State,
  Payment_State,
  type Tokens,
  tokensInMemory,
  type TokenStore,
  type Tradewind,
  watchNotifications,
  withKey,
} from "@tradewind/sdk";

/** What a purchase saw. */
export interface Story {
  readonly found: string;
  readonly inCart: string;
  readonly placed: string;
  readonly paid: string;
  readonly paidAgain: string;
  readonly read: string;
  readonly total: string;
  readonly news: readonly string[];
  readonly tooMany: { readonly reason: string; readonly domain: string; readonly preconditions: readonly string[] };
  readonly noCity: { readonly code: string; readonly fields: readonly string[] };
  readonly traced: boolean;
  readonly lost: string;
  readonly renewed: readonly boolean[];
}

const address = { recipient: "Ada", lines: ["Quay 7"], city: "Hamburg", countryCode: "DE" };
const email = "ada@example.com";

/** Buys two shirts: the first card is declined, the second is taken. */
export async function journey(baseUrl: string, protocol: "connect" | "grpc-web"): Promise<Story> {
  const tokens = tokensInMemory();
  const shop = connectTradewind({ baseUrl, protocol, tokens });
  await shop.users.startGuestSession({});
  const news = await listen(shop);

  const { products } = await shop.catalog.searchProducts({ query: "shirt", inStock: true });
  const variantId = products[0]?.variants[0]?.id ?? "";
  await shop.cart.addLine({ variantId, quantity: 2n });
  const cart = await shop.cart.getCart({});

  const tooMany = await refusal(shop.orders.placeOrder({
    lines: [{ variantId, quantity: 999n }], email, shippingAddress: address, paymentMethod: "sim_ok",
  }));
  const noCity = await refusal(shop.orders.placeOrder({
    email, shippingAddress: { ...address, city: "" }, paymentMethod: "sim_ok",
  }));

  const placed = await shop.orders.placeOrder({ email, shippingAddress: address, paymentMethod: "sim_declined" });
  const id = placed.order?.id ?? "";
  const once = withKey(newKey());
  const paid = await shop.orders.payOrder({ id, paymentMethod: "sim_ok" }, once);
  const paidAgain = await shop.orders.payOrder({ id, paymentMethod: "sim_ok" }, once);
  const read = await shop.orders.getOrder({ id });
  const lost = await refusal(shop.orders.getOrder({ id: "ord_none" }));
  const renewed = [
    await renews(shop, tokens, { expireTime: timestampFromMs(0) }),
    await renews(shop, tokens, { accessToken: "not a token" }),
  ];

  return {
    found: products[0]?.title ?? "",
    inCart: cart.lines.map((line) => `${line.quantity} ${line.title}`).join(),
    placed: state(placed.order),
    paid: state(paid),
    paidAgain: state(paidAgain),
    read: state(read),
    total: formatMoney(read.total ?? { currencyCode: "", minor: 0n }, "de-DE"),
    news: (await news.both).map((it) => it.replace(id, "ORDER")),
    tooMany: {
      reason: tooMany.reason,
      domain: tooMany.domain,
      preconditions: tooMany.preconditions.map((it) => it.subject.replace(variantId, "VARIANT")),
    },
    noCity: { code: noCity.reason, fields: noCity.fields.map((it) => it.field) },
    traced: /^[0-9a-f]{32}$/.test(tooMany.traceId ?? ""),
    lost: lost.reason,
    renewed,
  };
}

/** Listens for the next two notifications; resolves when nothing can be missed any more. */
async function listen(shop: Tradewind): Promise<{ both: Promise<string[]> }> {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const both = (async () => {
    const told: string[] = [];
    for await (const it of watchNotifications(shop.notifications, { onOpen: open })) {
      told.push(`${it.kind} ${it.reference}`);
      if (told.length === 2) break;
    }
    return told;
  })();
  // Whichever is first: a watch that fails never opens.
  await Promise.race([opened, both]);
  return { both };
}

/** Whether a call goes on in the same session, with new tokens, once the ones it has are spoilt. */
async function renews(shop: Tradewind, store: TokenStore, spoilt: Partial<Tokens>): Promise<boolean> {
  const before = await store.load();
  if (before === undefined) return false;
  await store.save({ ...before, ...spoilt });
  await shop.cart.getCart({});
  const after = await store.load();
  return after?.subject === before.subject && after.refreshToken !== before.refreshToken;
}

async function refusal(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    return failureOf(error);
  }
  throw new Error("a call that had to be refused was not");
}

function state(order: Order | undefined): string {
  const { state = 0, payment } = order ?? {};
  return `${Order_State[state]}, payment ${Payment_State[payment?.state ?? 0]}`;
}
