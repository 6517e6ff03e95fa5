// Tradewind from TypeScript, in browsers and in Node.
export { Code, ConnectError } from "@connectrpc/connect";
export { type Failure, failedFor, failureOf } from "./failure.js";
export * from "./gen/index.js";
export { newKey, withKey } from "./idempotency.js";
export { decimalsOf, formatMoney, fromDecimal, toDecimal } from "./money.js";
export { type TokenStore, tokensIn, tokensInMemory } from "./tokens.js";
export { connectTradewind, type Tradewind, type TradewindOptions } from "./tradewind.js";
export { watchNotifications, type WatchOptions } from "./watch.js";
