// A small server of the mesh's contracts in memory, for what a real mesh cannot be made to do on demand:
// tokens that end, answers that are lost.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { CartService, OrdersService, type Tokens, TokensSchema, UsersService } from "@tradewind/sdk";
import { ErrorInfoSchema, RetryInfoSchema } from "../dist/gen/google/rpc/error_details_pb.js";
import type { Pace } from "../dist/repeat.js";
import { Session } from "../dist/session.js";
import { type TokenStore, tokensInMemory } from "../dist/tokens.js";
import { meshTransport } from "../dist/transport.js";

/** What a service of these tests answers; each test says what it needs. */
export interface Answers {
  readonly users?: Partial<ServiceImpl<typeof UsersService>>;
  readonly orders?: Partial<ServiceImpl<typeof OrdersService>>;
  readonly cart?: Partial<ServiceImpl<typeof CartService>>;
}

/** Time that stands until something waits. */
export interface Time extends Pace {
  readonly waits: number[];
}

/** A clock for a test, and chance that is always the most. */
export function time(): Time {
  let now = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    random: () => 1,
    wait: async (ms) => {
      waits.push(ms);
      now += ms;
    },
  };
}

/** What a client of a test is made with. */
export interface Setting {
  readonly store?: TokenStore;
  readonly onEnd?: () => void;
  /** What the clock of this machine says. */
  readonly now?: () => number;
  readonly pace?: Pace;
}

/** The SDK over services in memory. */
export function connect(answers: Answers, { store = tokensInMemory(), onEnd, now = () => 0, pace = time() }: Setting = {}) {
  const wire = createRouterTransport(({ service }) => {
    service(UsersService, answers.users ?? {});
    service(OrdersService, answers.orders ?? {});
    service(CartService, answers.cart ?? {});
  });
  const users = createClient(UsersService, wire);
  const refresh = (refreshToken: string) => users.refreshSession({ refreshToken });
  const transport = meshTransport(wire, new Session({ store, refresh, onEnd, now }), pace);
  return {
    users: createClient(UsersService, transport),
    orders: createClient(OrdersService, transport),
    cart: createClient(CartService, transport),
  };
}

/** Tokens with a number, which end at a time. */
export function tokens(number: number, endMs: number): Tokens {
  return create(TokensSchema, {
    accessToken: `access-${number}`,
    refreshToken: `refresh-${number}`,
    expireTime: timestampFromMs(endMs),
    subject: "gst_1",
  });
}

/** A refusal as the mesh makes it. */
export function refusal(code: Code, reason: string, retryAfterSeconds?: number): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason, domain: "test.tradewind" } };
  const retry = { desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(retryAfterSeconds ?? 0) } } };
  const details = retryAfterSeconds === undefined ? [info] : [info, retry];
  return new ConnectError("refused", code, undefined, details);
}
