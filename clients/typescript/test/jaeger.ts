// A Jaeger of its own for a test, where one is installed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** How long it may take to start, and a trace to come, in milliseconds. */
const PATIENCE = 60_000;

/** A running Jaeger. */
export interface Jaeger {
  /** Where it takes spans. */
  readonly otlp: string;
  /** The names of a trace's spans, once all of these are among them. */
  until(trace: string, names: readonly string[]): Promise<string[]>;
  stop(): Promise<void>;
}

/** Where Jaeger is installed. */
export function installedJaeger(): string | undefined {
  const folders = [join(ROOT, "target/tools"), ...(process.env["PATH"] ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, "jaeger")).find(isProgram);
}

/** Starts one; it answers when this resolves. */
export async function startJaeger(program: string): Promise<Jaeger> {
  const [otlp, query, health] = [await freeAddress(), await freeAddress(), await freeAddress()];
  const env = { JAEGER_OTLP: otlp, JAEGER_QUERY: query, JAEGER_HEALTH: health };
  const child = spawn(program, ["--config", join(ROOT, "scripts/trace/jaeger.yaml")], { env, stdio: "ignore" });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended.catch(() => undefined);
  };
  const until = async (trace: string, names: readonly string[]) => {
    let known: string[] = [];
    await eventually(`${names.join()} in trace ${trace}`, async () => {
      const answer = await fetch(`http://${query}/api/traces/${trace}`);
      const { data } = (await answer.json()) as { data?: { spans: { operationName: string }[] }[] };
      known = (data?.[0]?.spans ?? []).map((span) => span.operationName);
      return names.every((name) => known.includes(name));
    });
    return known;
  };
  try {
    await eventually("Jaeger", async () => (await fetch(`http://${query}/api/services`)).ok);
    return { otlp: `http://${otlp}`, until, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function eventually(what: string, is: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!(await is().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`there is no ${what}`);
    await pause(100);
  }
}

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `127.0.0.1:${port}`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
