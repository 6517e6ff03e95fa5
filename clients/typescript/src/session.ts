// Who the caller is: the tokens of their session, renewed in time and by one call at once.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Tokens } from "./gen/tradewind/users/v1/users_service_pb.js";
import type { TokenStore } from "./tokens.js";

/** How long before its end a token is renewed: longer than a call lasts on its way. */
const MARGIN_MS = 30_000;

/** What a session is made with. */
export interface SessionParts {
  readonly store: TokenStore;
  /** Asks the mesh for the next tokens. */
  readonly refresh: (refreshToken: string) => Promise<Tokens>;
  /** Told when the mesh no longer knows the session. */
  readonly onEnd?: (() => void) | undefined;
  readonly now?: () => number;
}

/** The session that calls are made in. */
export class Session {
  readonly #parts: SessionParts;
  readonly #now: () => number;
  #renewing: Promise<Tokens | undefined> | undefined;
  /** Whether this machine's clock can say when a token ends. */
  #clockHolds = true;
  #refused: string | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** An access token that is good; `undefined` when there is no session. */
  async accessToken(): Promise<string | undefined> {
    const held = await this.#parts.store.load();
    if (held === undefined || !this.#isSpent(held)) return held?.accessToken;
    return (await this.#renew(held.accessToken))?.accessToken;
  }

  /** Says that the mesh refused a token: the next call gets another, or none. */
  refuse(accessToken: string): void {
    this.#refused = accessToken;
  }

  /** Begins a session, in place of the one before. */
  async begin(tokens: Tokens): Promise<void> {
    // Tokens of the session before must not come after these.
    await this.#renewing?.catch(() => undefined);
    await this.#keep(tokens);
  }

  /** Forgets the session. */
  async end(): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    await this.#parts.store.save(undefined);
  }

  #isSpent(tokens: Tokens): boolean {
    return tokens.accessToken === this.#refused || (this.#clockHolds && this.#endsSoon(tokens));
  }

  #endsSoon(tokens: Tokens): boolean {
    return tokens.expireTime !== undefined && timestampMs(tokens.expireTime) - this.#now() < MARGIN_MS;
  }

  #renew(stale: string): Promise<Tokens | undefined> {
    const { store } = this.#parts;
    const work = () => this.#next(stale);
    this.#renewing ??= (store.exclusively?.(work) ?? work()).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #next(stale: string): Promise<Tokens | undefined> {
    const held = await this.#parts.store.load();
    // Another tab was faster, or the session has ended.
    if (held?.accessToken !== stale) return held;
    try {
      const tokens = await this.#parts.refresh(held.refreshToken);
      await this.#keep(tokens);
      return tokens;
    } catch (error) {
      return await this.#withoutNext(held, error);
    }
  }

  /** What is left when there are no next tokens. */
  async #withoutNext(held: Tokens, error: unknown): Promise<Tokens | undefined> {
    if (ConnectError.from(error).code === Code.Unauthenticated) {
      await this.#parts.store.save(undefined);
      this.#parts.onEnd?.();
      return undefined;
    }
    const good = held.expireTime !== undefined && timestampMs(held.expireTime) > this.#now();
    if (good && held.accessToken !== this.#refused) return held;
    throw error;
  }

  async #keep(tokens: Tokens): Promise<void> {
    // New tokens that seem to end at once are good: it is the clock here that is ahead.
    this.#clockHolds = !this.#endsSoon(tokens);
    await this.#parts.store.save(tokens);
  }
}
