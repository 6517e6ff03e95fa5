// A mesh of its own for a test: the real binary, free ports, an empty directory.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env["TRADEWIND"] ?? fileURLToPath(new URL("../../../target/debug/tradewind", import.meta.url));

/** A running mesh. */
export interface Mesh {
  readonly url: string;
  /** Ends it and removes what it kept. */
  stop(): Promise<void>;
}

/** Starts a mesh with the sample shop, for pages of these origins, told more; it answers when this resolves. */
export async function startMesh(allowedOrigins: readonly string[], more: readonly string[] = []): Promise<Mesh> {
  const data = await mkdtemp(join(tmpdir(), "tradewind-sdk-"));
  const child = spawn(
    BINARY,
    ["serve", "--demo-shop", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"].concat(
      allowedOrigins.length > 0 ? ["--allowed-origins", allowedOrigins.join()] : [],
      more,
    ),
    // Its own directory, so that what it is told comes from here alone.
    { cwd: data, env: {}, stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended.catch(() => undefined);
    await rm(data, { recursive: true, force: true });
  };
  try {
    return { url: await gatewayOf(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address that the process says once it serves. */
async function gatewayOf(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the process has no output");
  let said = "";
  stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.on("error", (error) => (said += error.message));
  for await (const line of createInterface({ input: stdout })) {
    const url = /^\s*gateway\s+(http:\S+?)\/?$/.exec(line)?.[1];
    // What it says later is read and dropped, or it would wait for a reader.
    if (url !== undefined) return stdout.resume(), url;
  }
  throw new Error(`${BINARY} ended before it served: ${said}`);
}
