import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, connectTradewind, failedFor, failureOf } from "@tradewind/sdk";
import { startPages } from "./browser.js";
import { refusal } from "./service.js";

test("a mesh that is not there is unavailable, in either protocol", async () => {
  const gone = await startPages();
  const baseUrl = `http://127.0.0.1:${gone.port}`;
  await gone.stop();

  for (const protocol of ["connect", "grpc-web"] as const) {
    const { users } = connectTradewind({ baseUrl, protocol });
    const failed = await users.startGuestSession({}).catch(failureOf);

    assert.ok("code" in failed);
    assert.equal(failed.code, Code.Unavailable);
    assert.equal(failed.message, "the mesh cannot be reached");
    assert.equal(failed.reason, "");
  }
});

test("something else than a call's error is a failure without a reason", () => {
  const failure = failureOf(new RangeError("too far"));

  assert.equal(failure.code, Code.Unknown);
  assert.equal(failure.message, "too far");
  assert.deepEqual([failure.reason, failure.fields, failure.retryAfterMs], ["", [], undefined]);
  assert.equal(failedFor(new RangeError("too far"), ""), false);
});

test("when to call again is told in milliseconds", () => {
  assert.equal(failureOf(refusal(Code.ResourceExhausted, "RATE_LIMITED", 2)).retryAfterMs, 2_000);
});
