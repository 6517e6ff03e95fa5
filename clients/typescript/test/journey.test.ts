// The journey against a real mesh: in Node and in Chromium, over Connect and over gRPC-Web.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { Code } from "@tradewind/sdk";
import type { Browser, Page } from "playwright-core";
import { bundle, openPage, type Pages, startBrowser, startPages } from "./browser.js";
import { journey, type Story } from "./journey.js";
import { type Mesh, startMesh } from "./mesh.js";

const PROTOCOLS = ["connect", "grpc-web"] as const;

suite("a purchase from search to paid order", { timeout: 120_000 }, () => {
  let pages: Pages;
  let mesh: Mesh;
  let browser: Browser;
  let origin: string;

  before(async () => {
    pages = await startPages();
    origin = `http://127.0.0.1:${pages.port}`;
    // One after the other: what has started must be known when what follows does not.
    mesh = await startMesh([origin]);
    browser = await startBrowser();
    pages.scripts.set("/journey.js", await bundle("journey.js"));
  });

  after(async () => {
    await Promise.all([browser?.close(), mesh?.stop(), pages?.stop()]);
  });

  for (const protocol of PROTOCOLS) {
    test(`holds in Node over ${protocol}`, async () => {
      expectPurchase(await journey(mesh.url, protocol));
    });

    test(`holds in Chromium over ${protocol}`, async () => {
      const page = await openPage(browser, origin);
      expectPurchase(await inPage(page, mesh.url, protocol));
    });
  }

  test("is refused by the browser to a page of an origin that the mesh does not allow", async () => {
    const page = await openPage(browser, `http://localhost:${pages.port}`);

    const failed = inPage(page, mesh.url, "connect");

    await assert.rejects(failed, new RegExp(`${Code[Code.Unavailable]?.toLowerCase()}.*cannot be reached`));
  });

  test("runs as the README tells it", async () => {
    const program = await bundle("gen/readme.js");
    assert.ok(program.includes("http://127.0.0.1:8080"), "the README says where a mesh is");
    pages.scripts.set("/readme.js", program.replaceAll("http://127.0.0.1:8080", mesh.url));
    const page = await openPage(browser, origin);
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));

    await page.evaluate("import('/readme.js').then(() => undefined)");

    const steps = [/Shirt/, /^PENDING_PAYMENT$/, /^CONFIRMED 133,90\s€$/, /^INVALID_REQUEST .* [0-9a-f]{32}$/, /^quantity /, /^one order$/];
    for (const step of steps) assert.ok(said.some((line) => step.test(line)), `${step} in ${said.join("; ")}`);
  });
});

/** The same journey, run by a page. */
function inPage(page: Page, url: string, protocol: string): Promise<Story> {
  return page.evaluate(
    `import("/journey.js").then(({ journey }) => journey(${JSON.stringify(url)}, ${JSON.stringify(protocol)}))`,
  );
}

function expectPurchase({ found, total, ...story }: Story): void {
  assert.match(found, /shirt/i);
  assert.match(total, /^\d+,\d\d\s€$/);
  assert.deepEqual(story, {
    inCart: `2 ${found}`,
    placed: "PENDING_PAYMENT, payment DECLINED",
    paid: "CONFIRMED, payment PAID",
    paidAgain: "CONFIRMED, payment PAID",
    read: "CONFIRMED, payment PAID",
    news: ["order_payment_failed ORDER", "order_confirmed ORDER"],
    tooMany: { reason: "OUT_OF_STOCK", domain: "catalog.tradewind", preconditions: ["VARIANT"] },
    noCity: { code: "INVALID_REQUEST", fields: ["shipping_address.city"] },
    traced: true,
    lost: "ORDER_NOT_FOUND",
    renewed: [true, true],
  });
}
