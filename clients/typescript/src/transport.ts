// What a call is given on its way: a token, a key, a deadline, and another try.
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Transport, UnaryResponse } from "@connectrpc/connect";
import { failedFor, unreachable } from "./failure.js";
import { type Tokens, TokensSchema, UsersService } from "./gen/tradewind/users/v1/users_service_pb.js";
import { KEY_HEADER, newKey } from "./idempotency.js";
import { policyOf } from "./policy.js";
import { type Pace, waitAfter } from "./repeat.js";
import type { Session } from "./session.js";

/** A transport over another that does what every call of the mesh needs. */
export function meshTransport(wire: Transport, session: Session, pace: Pace): Transport {
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const policy = policyOf(method);
      const headers = new Headers(header);
      // One key for all attempts: they are one call.
      if (policy.keyed && !headers.has(KEY_HEADER)) headers.set(KEY_HEADER, newKey());
      const limit = timeoutMs ?? policy.deadlineMs;
      const until = limit !== undefined && limit > 0 ? pace.now() + limit : undefined;
      const attempt = () =>
        authorized(session, method, headers, (sent) => {
          const left = until === undefined ? 0 : Math.max(1, Math.floor(until - pace.now()));
          return wire.unary(method, signal, left, sent, input, contextValues);
        });
      const answer = await repeated(attempt, { again: policy.repeatable, until, signal, pace });
      await follow(session, answer);
      return answer;
    },

    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const headers = new Headers(header);
      const token = await authorize(session, method, headers);
      try {
        // The mesh ends a stream at the contract's deadline; a client that waits less long says so.
        const opened = await wire.stream(method, signal, timeoutMs, headers, input, contextValues);
        return { ...opened, message: noticed(opened.message, session, token) };
      } catch (error) {
        throw unreachable(error);
      }
    },
  };
}

interface Repetition {
  readonly again: boolean;
  readonly until: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly pace: Pace;
}

/** Makes a call, again where that is safe and may help. */
async function repeated<T>(attempt: () => Promise<T>, { again, until, signal, pace }: Repetition): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      const failed = unreachable(error);
      const wait = again ? waitAfter(failed, count, pace.random) : undefined;
      if (wait === undefined || (until !== undefined && pace.now() + wait >= until)) throw failed;
      // A caller who gives up meanwhile ends the wait, and the next attempt fails as cancelled.
      await pace.wait(wait, signal);
    }
  }
}

/** Makes a call with the session's token, once more with another when the mesh does not take it. */
async function authorized<T>(
  session: Session,
  method: DescMethod,
  header: Headers,
  call: (header: Headers) => Promise<T>,
): Promise<T> {
  const headers = new Headers(header);
  const token = await authorize(session, method, headers);
  try {
    return await call(headers);
  } catch (error) {
    // It was refused before anything was done, so that any call may be made again.
    if (token === undefined || !failedFor(error, "INVALID_TOKEN")) throw error;
    session.refuse(token);
    const renewed = new Headers(header);
    if ((await authorize(session, method, renewed)) === undefined) throw error;
    return await call(renewed);
  }
}

/** Adds the session's token to a call that does not say itself who makes it; the token that was added. */
async function authorize(session: Session, method: DescMethod, headers: Headers): Promise<string | undefined> {
  if (headers.has("authorization") || method.output.typeName === TokensSchema.typeName) return undefined;
  const token = await session.accessToken();
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  return token;
}

/** Whatever answers `Tokens` begins a session; logging out ends it. */
async function follow(session: Session, answer: UnaryResponse<DescMessage, DescMessage>): Promise<void> {
  if (answer.message.$typeName === TokensSchema.typeName) await session.begin(answer.message as Tokens);
  if (answer.method === UsersService.method.logOut) await session.end();
}

/** The messages of a stream, with its failure told as that of any call. */
async function* noticed<T>(messages: AsyncIterable<T>, session: Session, token: string | undefined): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    if (token !== undefined && failedFor(error, "INVALID_TOKEN")) session.refuse(token);
    throw unreachable(error);
  }
}
