import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError, failedFor, withKey } from "@tradewind/sdk";
import { connect, refusal, time } from "./service.js";

const unavailable = () => refusal(Code.Unavailable, "UNAVAILABLE");

test("the attempts of one call carry one key, and another call another", async () => {
  const keys: string[] = [];
  const payOrder = failing(1, unavailable(), keys);
  const { orders } = connect({ orders: { payOrder } });

  await orders.payOrder({ id: "ord_1", paymentMethod: "sim_ok" });
  await orders.payOrder({ id: "ord_1", paymentMethod: "sim_ok" });

  const [first, second, third] = keys;
  assert.equal(keys.length, 3);
  assert.match(first ?? "", /^[0-9a-f]{32}$/);
  assert.equal(second, first);
  assert.notEqual(third, first);
});

test("a key of the caller's own is kept, beside what else they say", async () => {
  const keys: string[] = [];
  const { orders } = connect({ orders: { payOrder: failing(0, unavailable(), keys) } });
  let answered = false;

  await orders.payOrder({ id: "ord_1" }, withKey("checkout-7", { onHeader: () => (answered = true) }));

  assert.deepEqual(keys, ["checkout-7"]);
  assert.ok(answered);
});

test("a call that takes no key is given none", async () => {
  const keys: string[] = [];
  const { orders } = connect({ orders: { getOrder: failing(0, unavailable(), keys) } });

  await orders.getOrder({ id: "ord_1" });

  assert.deepEqual(keys, [""]);
});

test("a call that may not be repeated fails at the first failure", async () => {
  const keys: string[] = [];
  const pace = time();
  const startGuestSession = () => {
    keys.push("");
    throw unavailable();
  };
  const { users } = connect({ users: { startGuestSession } }, { pace });

  await assert.rejects(users.startGuestSession({}), (error) => failedFor(error, "UNAVAILABLE"));

  assert.equal(keys.length, 1);
  assert.deepEqual(pace.waits, []);
});

test("the waits between attempts grow, and end after the fourth attempt", async () => {
  const keys: string[] = [];
  const pace = time();
  const { orders } = connect({ orders: { payOrder: failing(9, unavailable(), keys) } }, { pace });

  await assert.rejects(orders.payOrder({ id: "ord_1" }), (error) => failedFor(error, "UNAVAILABLE"));

  assert.equal(keys.length, 4);
  assert.deepEqual(pace.waits, [100, 200, 400]);
});

test("the mesh says how long to wait", async () => {
  const pace = time();
  const limited = refusal(Code.ResourceExhausted, "RATE_LIMITED", 2);
  const { orders } = connect({ orders: { getOrder: failing(1, limited, []) } }, { pace });

  await orders.getOrder({ id: "ord_1" }, { timeoutMs: 5_000 });

  assert.deepEqual(pace.waits, [2_100]);
});

test("a wait that would outlast the contract's deadline is not begun", async () => {
  const pace = time();
  const limited = refusal(Code.ResourceExhausted, "RATE_LIMITED", 2);
  const { orders } = connect({ orders: { getOrder: failing(1, limited, []) } }, { pace });

  // GetOrder has two seconds.
  await assert.rejects(orders.getOrder({ id: "ord_1" }), (error) => failedFor(error, "RATE_LIMITED"));

  assert.deepEqual(pace.waits, []);
});

test("a refusal that waiting does not change is told at once", async () => {
  for (const refused of [refusal(Code.Aborted, "STALE"), refusal(Code.FailedPrecondition, "OUT_OF_STOCK")]) {
    const keys: string[] = [];
    const { orders } = connect({ orders: { payOrder: failing(1, refused, keys) } });

    await assert.rejects(orders.payOrder({ id: "ord_1" }), ConnectError);

    assert.equal(keys.length, 1);
  }
});

test("the mesh is told the contract's deadline, or the caller's", async () => {
  const limits: (number | undefined)[] = [];
  const getCart = (_: object, context: HandlerContext) => {
    limits.push(context.timeoutMs());
    return {};
  };
  const { cart } = connect({ cart: { getCart } });

  await cart.getCart({});
  await cart.getCart({}, { timeoutMs: 700 });

  const [contract = 0, caller = 0] = limits;
  assert.ok(contract > 4_000 && contract <= 5_000, `${contract}`);
  assert.ok(caller > 0 && caller <= 700, `${caller}`);
});

test("a caller who gives up is waited for no longer", async () => {
  const giveUp = new AbortController();
  const waiting = { ...time(), wait: async () => giveUp.abort() };
  const { orders } = connect({ orders: { getOrder: failing(9, unavailable(), []) } }, { pace: waiting });

  const failed = orders.getOrder({ id: "ord_1" }, { signal: giveUp.signal });

  await assert.rejects(failed, (error) => error instanceof ConnectError && error.code === Code.Canceled);
});

/** An RPC that fails so many times, and notes the key of each attempt. */
function failing(times: number, error: ConnectError, keys: string[]) {
  let left = times;
  return (_: object, context: HandlerContext) => {
    keys.push(context.requestHeader.get("idempotency-key") ?? "");
    if (left-- > 0) throw error;
    return {};
  };
}
