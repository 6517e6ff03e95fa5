// A purchase is one trace, from a click in Chromium through the mesh, its tasks and its events, as Jaeger tells it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, suite, test } from "node:test";
import { bundle, openPage, startBrowser, startPages } from "./browser.js";
import { installedJaeger, startJaeger } from "./jaeger.js";
import { startMesh } from "./mesh.js";

const NAMES = [
  "Recv.tradewind.orders.v1.OrdersService.PlaceOrder",
  "Recv.tradewind.catalog.v1.StockService.Reserve",
  "Recv.tradewind.payments.v1.PaymentsService.Pay",
  "Recv.tradewind.ledger.v1.LedgerService.CreateTransfers",
  "task commit_stock",
  "task settle_attempt",
  "consume tradewind.orders.v1.OrderConfirmed",
  "consume tradewind.payments.v1.PaymentChanged",
];

const program = installedJaeger();
const skip = program === undefined && "no Jaeger in target/tools or on the PATH; scripts/jaeger.sh builds one";

suite("a click", { timeout: 120_000, skip }, () => {
  const ends: (() => Promise<void>)[] = [];
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  test("is found in Jaeger with all that came of it", async () => {
    const jaeger = await startJaeger(program ?? "");
    ends.push(jaeger.stop);
    const pages = await startPages();
    ends.push(pages.stop);
    const origin = `http://127.0.0.1:${pages.port}`;
    // It begins no trace of its own, so that what is found began with the click.
    const mesh = await startMesh([origin], ["--otlp", jaeger.otlp, "--otlp-signals", "traces", "--sample", "0"]);
    ends.push(mesh.stop);
    const browser = await startBrowser();
    ends.push(() => browser.close());
    pages.scripts.set("/click.js", await bundle("click.js"));
    const page = await openPage(browser, origin);
    const trace = randomBytes(16).toString("hex");
    const traceparent = `00-${trace}-${randomBytes(8).toString("hex")}-01`;

    const order = await page.evaluate(
      `import("/click.js").then(({ click }) => click(${JSON.stringify(mesh.url)}, ${JSON.stringify(traceparent)}))`,
    );

    assert.match(String(order), /^ord_/);
    const names = await jaeger.until(trace, NAMES);
    assert.equal(names.filter((name) => name === NAMES[0]).length, 1, names.join("; "));
  });
});
