// A customer's notifications for as long as they are wanted, over streams that break.
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { failedFor } from "./failure.js";
import type { Notification, NotificationsService } from "./gen/tradewind/notifications/v1/notifications_service_pb.js";
import { backoff, type Pace, pace as real } from "./repeat.js";

/** From where on notifications are wanted, and until when. */
export interface WatchOptions {
  /** The id of the last notification seen; those after it come first. Without it, from now on. */
  readonly afterId?: string;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
  /** Told each time that the mesh has begun to send: what happens from then on comes. */
  readonly onOpen?: () => void;
}

/**
 * The notifications of the caller, each once and in order. A stream that ends or breaks is opened again after
 * the last notification that came or was named; before there is one, from then on. Leaving the loop ends it.
 */
export async function* watchNotifications(
  notifications: Client<typeof NotificationsService>,
  { afterId = "", signal, onOpen }: WatchOptions = {},
  pace: Pace = real,
): AsyncGenerator<Notification, void, undefined> {
  const left = new AbortController();
  const ends = signal === undefined ? left.signal : AbortSignal.any([left.signal, signal]);
  let last = afterId;
  let failures = 0;
  try {
    while (!ends.aborted) {
      try {
        const opened = { signal: ends, onHeader: () => onOpen?.() };
        for await (const notification of notifications.watchNotifications({ afterId: last }, opened)) {
          failures = 0;
          last = notification.id;
          yield notification;
        }
      } catch (error) {
        if (ends.aborted) return;
        if (!passes(error)) throw error;
      }
      failures++;
      await pace.wait(pace.random() * backoff(failures), ends);
    }
  } finally {
    left.abort();
  }
}

/** Whether a stream may be had again after it failed so. */
function passes(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  const restart = code === Code.Unavailable || code === Code.DeadlineExceeded || code === Code.ResourceExhausted;
  return restart || failedFor(error, "INVALID_TOKEN");
}
