// A real Chromium, and pages for it that come from another origin than the mesh.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser, with a new and empty profile. */
export function startBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] || "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ARGUMENTS, headless: true });
}

/** A module of these tests with all that it imports, as one that a page loads. */
export async function bundle(name: string): Promise<string> {
  const entry = fileURLToPath(new URL(name, import.meta.url));
  const made = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  return made.outputFiles[0]?.text ?? "";
}

/** A server of an empty page and of the scripts that are put into `scripts`. */
export interface Pages {
  readonly port: number;
  readonly scripts: Map<string, string>;
  stop(): Promise<void>;
}

/** Serves pages on loopback. */
export async function startPages(): Promise<Pages> {
  const scripts = new Map<string, string>();
  const server = createServer((request, response) => {
    const script = scripts.get(request.url ?? "");
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
    response.end(script ?? '<!doctype html><link rel="icon" href="data:,"><title>test</title>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { port, scripts, stop };
}

/** Opens the empty page of an origin. */
export async function openPage(browser: Browser, origin: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`${origin}/`);
  return page;
}
