// What the contract says of an RPC, as a caller needs it. Nothing here repeats a contract: it is read
// from the descriptors that the RPCs were generated with.
import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { Idempotency, rpc } from "./gen/tradewind/mesh/v1/rpc_pb.js";

/** What the mesh does with a call. */
export interface Policy {
  /** Whether it answers a repeat by the `idempotency-key` that both carry. */
  readonly keyed: boolean;
  /** Whether a call may be sent again without doing anything twice. */
  readonly repeatable: boolean;
  /** The longest it lets a call take; absent when it does not say. */
  readonly deadlineMs?: number;
}

const read = new WeakMap<DescMethod, Policy>();

/** The policy of an RPC. */
export function policyOf(method: DescMethod): Policy {
  const known = read.get(method);
  if (known !== undefined) return known;
  const said = getOption(method, rpc);
  const keyed = said.idempotency !== Idempotency.UNSPECIFIED;
  const policy: Policy = {
    keyed,
    repeatable: keyed || method.idempotency !== Level.IDEMPOTENCY_UNKNOWN,
    ...(said.deadlineMs > 0 && { deadlineMs: said.deadlineMs }),
  };
  read.set(method, policy);
  return policy;
}
