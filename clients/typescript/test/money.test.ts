import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMoney, fromDecimal, toDecimal } from "@tradewind/sdk";

const money = (minor: bigint, currencyCode: string) => ({ minor, currencyCode });

test("an amount has the decimals of ISO 4217, also where usage has others", () => {
  assert.equal(toDecimal(money(1250n, "EUR")), "12.50");
  assert.equal(toDecimal(money(1250n, "JPY")), "1250");
  assert.equal(toDecimal(money(1250n, "KWD")), "1.250");
  assert.equal(toDecimal(money(1250n, "CLF")), "0.1250");
  // Usage writes dinars of Iraq without decimals; a minor unit is a thousandth all the same.
  assert.equal(formatMoney(money(1250n, "IQD"), "en"), "IQD\u00a01.250");
});

test("small and negative amounts keep their zeros and their sign", () => {
  assert.equal(toDecimal(money(0n, "EUR")), "0.00");
  assert.equal(toDecimal(money(5n, "EUR")), "0.05");
  assert.equal(toDecimal(money(-5n, "EUR")), "-0.05");
  assert.equal(toDecimal(money(-1n, "JPY")), "-1");
});

test("an amount is written in a language, exactly at any size", () => {
  assert.equal(formatMoney(money(1250n, "EUR"), "de-DE"), "12,50\u00a0€");
  assert.equal(formatMoney(money(123456789n, "USD"), "en-US"), "$1,234,567.89");
  assert.equal(formatMoney(money(999_999_999_999_999_99n, "USD"), "en-US"), "$999,999,999,999,999.99");
  assert.equal(formatMoney(money(1250n, "EUR"), "en", { currencyDisplay: "code" }), "EUR\u00a012.50");
});

test("what is written in decimals reads back as the same amount", () => {
  for (const currencyCode of ["EUR", "JPY", "KWD", "CLF"]) {
    for (const minor of [0n, 1n, -1n, 99n, 1_000_000_000_000_000n]) {
      assert.equal(fromDecimal(toDecimal({ minor, currencyCode }), currencyCode).minor, minor);
    }
  }
  assert.equal(fromDecimal("12.5", "EUR").minor, 1250n);
  assert.equal(fromDecimal("12.5000", "EUR").minor, 1250n);
});

test("what is no amount of its currency is refused", () => {
  for (const text of ["", ".5", "5.", "1,50", "1e3", "--1", "12.505", " 1", "١"]) {
    assert.throws(() => fromDecimal(text, "EUR"), RangeError, text);
  }
  assert.throws(() => fromDecimal("1.5", "JPY"), /at most 0 decimals/);
});
