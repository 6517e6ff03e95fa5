import assert from "node:assert/strict";
import { test } from "node:test";
import * as sdk from "@tradewind/sdk";
import { policyOf } from "../dist/policy.js";

const { OrdersService, UsersService, CartService, StockService, CatalogService } = sdk;

test("what only services of the mesh may call is not there", () => {
  assert.ok("setStock" in StockService.method);
  for (const method of ["reserve", "commitReservation", "releaseReservation"]) {
    assert.ok(!(method in StockService.method), method);
  }
  assert.ok(!("getTrust" in UsersService.method));
  assert.ok(!("EventsService" in sdk));
});

test("an RPC's policy is the contract's", () => {
  const { placeOrder, getOrder, cancelOrder } = OrdersService.method;
  assert.deepEqual(policyOf(placeOrder), { keyed: true, repeatable: true, deadlineMs: 30_000 });
  assert.deepEqual(policyOf(getOrder), { keyed: false, repeatable: true, deadlineMs: 2_000 });
  assert.deepEqual(policyOf(cancelOrder), { keyed: false, repeatable: true, deadlineMs: 30_000 });
  assert.deepEqual(policyOf(CartService.method.addLine), { keyed: true, repeatable: true, deadlineMs: 5_000 });
  const { deleteCategory } = CatalogService.method;
  assert.deepEqual(policyOf(deleteCategory), { keyed: false, repeatable: false, deadlineMs: 5_000 });
});
