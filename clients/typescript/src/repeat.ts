// When a call that failed is made again, and after how long.
import { Code, type ConnectError } from "@connectrpc/connect";
import { failureOf } from "./failure.js";

/** How often a call is made at most, and how long the waits between are. */
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/** Time and chance, so that tests can say what they are. */
export interface Pace {
  now(): number;
  random(): number;
  /** Waits; ends early and without an error when the signal says so. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

/** Time and chance as they are. */
export const pace: Pace = {
  now: () => performance.now(),
  random: Math.random,
  wait: (ms, signal) =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      if (signal?.aborted === true) done();
      else signal?.addEventListener("abort", done);
    }),
};

/** How long to wait after the failure of an attempt, counted from one; `undefined` when it stands. */
export function waitAfter(error: ConnectError, attempt: number, random: () => number): number | undefined {
  if (attempt >= ATTEMPTS) return undefined;
  const asked = failureOf(error).retryAfterMs;
  switch (error.code) {
    case Code.Unavailable:
      break;
    // Too many calls, or the first call with this key still runs: the mesh says when to come back.
    case Code.ResourceExhausted:
    case Code.Aborted:
      if (asked === undefined) return undefined;
      break;
    default:
      return undefined;
  }
  // Many clients fail at one moment; they must not come back at one.
  return (asked ?? 0) + random() * backoff(attempt);
}

/** The longest wait after an attempt, when the mesh asks for none. */
export function backoff(attempt: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
}
