// Why a call failed, as programs and forms read it.
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";

/** Everything that a failed call says. */
export interface Failure {
  readonly code: Code;
  /** A sentence that may be shown. */
  readonly message: string;
  /** What programs tell failures apart by, such as `OUT_OF_STOCK`; empty when the mesh was not reached. */
  readonly reason: string;
  /** Who refused, such as `orders.tradewind`. */
  readonly domain: string;
  /** What there is to know besides. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of the request that are not as they must be, by their path in the contract. */
  readonly fields: readonly { readonly field: string; readonly description: string }[];
  /** Conditions that did not hold, such as one for each line that is out of stock. */
  readonly preconditions: readonly {
    readonly type: string;
    readonly subject: string;
    readonly description: string;
  }[];
  /** How long to wait before calling again; absent when waiting alone does not help. */
  readonly retryAfterMs?: number;
  /** The id of the call's trace, for support. */
  readonly traceId?: string;
}

/** What an error says, whatever was thrown. */
export function failureOf(error: unknown): Failure {
  const failed = ConnectError.from(error);
  const [info] = failed.findDetails(ErrorInfoSchema);
  const [retry] = failed.findDetails(RetryInfoSchema);
  const [request] = failed.findDetails(RequestInfoSchema);
  const traceId = request?.requestId || failed.metadata.get("trace-id");
  return {
    code: failed.code,
    message: failed.rawMessage,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    fields: failed.findDetails(BadRequestSchema).flatMap((it) => it.fieldViolations),
    preconditions: failed.findDetails(PreconditionFailureSchema).flatMap((it) => it.violations),
    ...(retry?.retryDelay && { retryAfterMs: durationMs(retry.retryDelay) }),
    ...(traceId && { traceId }),
  };
}

/** Whether a call failed for this reason, such as `OUT_OF_STOCK`. */
export function failedFor(error: unknown, reason: string): boolean {
  return error instanceof ConnectError && failureOf(error).reason === reason;
}

/**
 * The error of a call, with a network that failed told apart: `fetch` rejects with a `TypeError` in every
 * browser and in Node, which would else be an unknown error.
 */
export function unreachable(error: unknown): ConnectError {
  const failed = ConnectError.from(error);
  if (failed.code !== Code.Unknown || !(failed.cause instanceof TypeError)) return failed;
  const message = "the mesh cannot be reached";
  return new ConnectError(message, Code.Unavailable, undefined, undefined, failed.cause);
}
