import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { NotificationsService, watchNotifications } from "@tradewind/sdk";
import { time } from "./service.js";

test("a stream that breaks is opened again after the last notification that came", async () => {
  const asked: string[] = [];
  const notifications = serving(async function* ({ afterId }) {
    asked.push(afterId);
    yield { id: `not_${asked.length}` };
    if (asked.length === 1) throw new ConnectError("draining", Code.Unavailable);
  });

  const ids: string[] = [];
  for await (const { id } of watchNotifications(notifications, { afterId: "not_0" }, time())) {
    ids.push(id);
    if (ids.length === 3) break;
  }

  assert.deepEqual(ids, ["not_1", "not_2", "not_3"]);
  assert.deepEqual(asked, ["not_0", "not_1", "not_2"]);
});

test("leaving the loop ends the stream", async () => {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const notifications = serving(async function* (_, { signal }) {
    signal.addEventListener("abort", end);
    yield { id: "not_1" };
    await ended;
  });

  for await (const _ of watchNotifications(notifications)) break;

  await ended;
});

test("a signal ends the loop without an error", async () => {
  const enough = new AbortController();
  const notifications = serving(async function* (_, { signal }) {
    yield { id: "not_1" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });

  let count = 0;
  for await (const _ of watchNotifications(notifications, { signal: enough.signal })) {
    count++;
    enough.abort();
  }

  assert.equal(count, 1);
});

test("a refusal ends the loop with its error", async () => {
  const notifications = serving(async function* () {
    throw new ConnectError("sign in", Code.Unauthenticated);
  });

  const watch = watchNotifications(notifications, {}, time());

  await assert.rejects(watch.next(), (error) => error instanceof ConnectError && error.code === Code.Unauthenticated);
});

type Answer = (request: { afterId: string }, context: HandlerContext) => AsyncGenerator<{ id: string }>;

function serving(watch: Answer) {
  const wire = createRouterTransport(({ service }) => {
    service(NotificationsService, { watchNotifications: watch });
  });
  return createClient(NotificationsService, wire);
}
