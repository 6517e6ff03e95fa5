// Money as people read and write it. Amounts are whole minor units in a bigint; no float ever holds one.
import { create } from "@bufbuild/protobuf";
import { type Money, MoneySchema } from "./gen/tradewind/money/v1/money_pb.js";

/** Currencies whose minor unit is not a hundredth (ISO 4217, 2026). `Intl` follows usage, and differs for some. */
const DECIMALS: ReadonlyMap<string, number> = new Map([
  ...codes(0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
  ...codes(3, "BHD IQD JOD KWD LYD OMR TND"),
  ...codes(4, "CLF UYW"),
]);

function codes(decimals: number, names: string): [string, number][] {
  return names.split(" ").map((name) => [name, decimals]);
}

/** How many decimals an ISO 4217 currency is written with. */
export function decimalsOf(currencyCode: string): number {
  return DECIMALS.get(currencyCode) ?? 2;
}

/** The amount as a decimal number: 1250 cents are `12.50`. */
export function toDecimal(money: Pick<Money, "currencyCode" | "minor">): `${number}` {
  const decimals = decimalsOf(money.currencyCode);
  const sign = money.minor < 0n ? "-" : "";
  const digits = (money.minor < 0n ? -money.minor : money.minor).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = decimals === 0 ? "" : `.${digits.slice(-decimals)}`;
  return `${sign}${whole}${fraction}` as `${number}`;
}

/** The amount of a decimal number: `12.5` EUR is 1250 cents. More decimals than the currency has must be zeros. */
export function fromDecimal(text: string, currencyCode: string): Money {
  const decimals = decimalsOf(currencyCode);
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined || /[^0]/.test(fraction.slice(decimals))) {
    const wanted = `digits, and at most ${decimals} decimals after a point`;
    throw new RangeError(`\`${text}\` is not an amount of ${currencyCode}: ${wanted}`);
  }
  const minor = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
  return create(MoneySchema, { currencyCode, minor: sign === "-" ? -minor : minor });
}

/** The amount in a language: `12,50 €`. Without a language, in the reader's own. */
export function formatMoney(
  money: Pick<Money, "currencyCode" | "minor">,
  locales?: Intl.LocalesArgument,
  options: Intl.NumberFormatOptions = {},
): string {
  const decimals = decimalsOf(money.currencyCode);
  const format = new Intl.NumberFormat(locales, {
    ...options,
    style: "currency",
    currency: money.currencyCode,
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return format.format(toDecimal(money));
}
