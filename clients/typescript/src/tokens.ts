// Where the tokens of a session are kept between calls.
import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Tokens, TokensSchema } from "./gen/tradewind/users/v1/users_service_pb.js";

/** Keeps the tokens of one session. */
export interface TokenStore {
  /** The tokens, when there is a session. */
  load(): Promise<Tokens | undefined> | Tokens | undefined;
  /** Keeps tokens; `undefined` when the session has ended. */
  save(tokens: Tokens | undefined): Promise<void> | void;
  /**
   * Runs work that nobody else who shares this store may run meanwhile. A refresh token is good once, and
   * ends its session when it comes twice: a store that tabs or processes share must have this.
   */
  exclusively?<T>(work: () => Promise<T>): Promise<T>;
}

/** Keeps tokens as long as the program runs. */
export function tokensInMemory(tokens?: Tokens): TokenStore {
  let held = tokens;
  return {
    load: () => held,
    save: (next) => {
      held = next;
    },
  };
}

/**
 * Keeps tokens in a browser's `localStorage` or `sessionStorage`, shared by the tabs of a page. Whoever runs a
 * script in the page can read them there.
 */
export function tokensIn(
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">,
  name = "tradewind.tokens",
): TokenStore {
  return {
    load: () => parse(storage.getItem(name)),
    save: (tokens) => {
      if (tokens === undefined) storage.removeItem(name);
      else storage.setItem(name, JSON.stringify(toJson(TokensSchema, create(TokensSchema, tokens))));
    },
    exclusively: (work) => {
      // Browsers have locks on secure pages alone, and on this machine's own.
      const locks = (globalThis.navigator as Navigator | undefined)?.locks;
      return locks === undefined ? work() : locks.request(name, work);
    },
  };
}

/** What was kept, unless something else stands there. */
function parse(text: string | null): Tokens | undefined {
  if (text === null) return undefined;
  try {
    return fromJson(TokensSchema, JSON.parse(text) as JsonValue, { ignoreUnknownFields: true });
  } catch {
    return undefined;
  }
}
