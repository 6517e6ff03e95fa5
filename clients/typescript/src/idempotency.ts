// Keys that let the mesh tell a repeat from a new call.
import type { CallOptions } from "@connectrpc/connect";

/** The header that a key travels in. */
export const KEY_HEADER = "idempotency-key";

/** A new key. Keep it beside what it is for, such as a checkout, until that has an answer. */
export function newKey(): string {
  // Not `crypto.randomUUID`: browsers have it on secure pages alone.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Options of a call that is the same as every other call with this key: it is done once. */
export function withKey(key: string, options: CallOptions = {}): CallOptions {
  const headers = new Headers(options.headers);
  headers.set(KEY_HEADER, key);
  return { ...options, headers };
}
