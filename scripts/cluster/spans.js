// Says which services and which later steps of an order a trace lacks; ends with 1 when there are some.
// Usage: node spans.js TRACE    as Jaeger's API answers it
const fs = require("node:fs");

// An order goes through all of these; the last of it are tasks and consumers of events.
const SERVICES = ["gateway", "users", "catalog", "orders", "payments", "ledger", "notifications", "cart"];
const LAST = ["task commit_stock", "task settle_attempt", "consume tradewind.orders.v1.OrderConfirmed"];

const text = fs.readFileSync(process.argv[2], "utf8") || "{}";
const { data: [trace] = [] } = JSON.parse(text);
const spans = trace?.spans ?? [];
const services = new Set(spans.map(({ processID }) => trace.processes[processID].serviceName));
const names = new Set(spans.map(({ operationName }) => operationName));
const missing = [...SERVICES.filter((it) => !services.has(it)), ...LAST.filter((it) => !names.has(it))];
console.log(missing.join(", "));
process.exit(missing.length > 0 ? 1 : 0);
