import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { Code, type Tokens, tokensIn, tokensInMemory } from "@tradewind/sdk";
import { connect, refusal, tokens } from "./service.js";

const HOUR = 3_600_000;

test("what answers tokens begins a session, and its calls carry the token", async () => {
  const seen: string[] = [];
  const { users } = connect({ users: { startGuestSession: () => tokens(1, HOUR), getMe: noting(seen) } });

  await users.startGuestSession({});
  await users.getMe({});

  assert.deepEqual(seen, ["Bearer access-1"]);
});

test("a token that ends soon is renewed before the call", async () => {
  const seen: string[] = [];
  let now = 0;
  const refreshSession = (request: { refreshToken: string }) => {
    seen.push(request.refreshToken);
    return tokens(2, 2 * HOUR);
  };
  const store = tokensInMemory(tokens(1, HOUR));
  const { users } = connect({ users: { refreshSession, getMe: noting(seen) } }, { store, now: () => now });

  await users.getMe({});
  now = HOUR - 10_000;
  await users.getMe({});

  assert.deepEqual(seen, ["Bearer access-1", "refresh-1", "Bearer access-2"]);
});

test("calls at once share one renewal", async () => {
  const seen: string[] = [];
  let renewals = 0;
  const refreshSession = () => tokens(1 + ++renewals, HOUR);
  const { users } = connect(
    { users: { refreshSession, getMe: noting(seen) } },
    { store: tokensInMemory(tokens(1, 0)) },
  );

  await Promise.all([users.getMe({}), users.getMe({}), users.getMe({})]);

  assert.equal(renewals, 1);
  assert.deepEqual(new Set(seen), new Set(["Bearer access-2"]));
});

test("two tabs over one store renew once", async () => {
  const seen: string[] = [];
  let renewals = 0;
  const answers = { users: { refreshSession: () => tokens(1 + ++renewals, HOUR), getMe: noting(seen) } };
  const store = { ...tokensInMemory(tokens(1, 0)), exclusively: lock() };
  const [one, other] = [connect(answers, { store }), connect(answers, { store })];

  await Promise.all([one.users.getMe({}), other.users.getMe({})]);

  assert.equal(renewals, 1);
  assert.deepEqual(seen, ["Bearer access-2", "Bearer access-2"]);
});

test("a token that the mesh refuses is renewed, and the call made once more", async () => {
  const seen: string[] = [];
  const getMe = (_: object, context: HandlerContext) => {
    if (token(context) === "Bearer access-1") throw refusal(Code.Unauthenticated, "INVALID_TOKEN");
    return noting(seen)(_, context);
  };
  const { users } = connect(
    { users: { refreshSession: () => tokens(2, HOUR), getMe } },
    { store: tokensInMemory(tokens(1, HOUR)) },
  );

  await users.getMe({});

  assert.deepEqual(seen, ["Bearer access-2"]);
});

test("a session that the mesh no longer knows is forgotten, and its owner told", async () => {
  let ends = 0;
  const seen: string[] = [];
  const store = tokensInMemory(tokens(1, 0));
  const refreshSession = () => {
    throw refusal(Code.Unauthenticated, "INVALID_REFRESH_TOKEN");
  };
  const { users } = connect({ users: { refreshSession, getMe: noting(seen) } }, { store, onEnd: () => ends++ });

  await users.getMe({});

  assert.deepEqual(seen, [""]);
  assert.equal(store.load(), undefined);
  assert.equal(ends, 1);
});

test("a renewal that fails on its way leaves a token in use that is still good", async () => {
  const seen: string[] = [];
  const refreshSession = () => {
    throw refusal(Code.Unavailable, "UNAVAILABLE");
  };
  const store = tokensInMemory(tokens(1, 10_000));
  const { users } = connect({ users: { refreshSession, getMe: noting(seen) } }, { store });

  await users.getMe({});

  assert.deepEqual(seen, ["Bearer access-1"]);
});

test("a clock that is ahead does not renew with every call", async () => {
  let renewals = 0;
  const refreshSession = () => tokens(1 + ++renewals, HOUR);
  const { users } = connect(
    { users: { startGuestSession: () => tokens(1, HOUR), refreshSession, getMe: noting([]) } },
    { now: () => 5 * HOUR },
  );

  await users.startGuestSession({});
  await users.getMe({});
  await users.getMe({});

  assert.equal(renewals, 0);
});

test("a call that says itself who makes it is left alone", async () => {
  const seen: string[] = [];
  const { users } = connect({ users: { getMe: noting(seen) } }, { store: tokensInMemory(tokens(1, HOUR)) });

  await users.getMe({}, { headers: { authorization: "Bearer mine" } });

  assert.deepEqual(seen, ["Bearer mine"]);
});

test("a login carries no token of the session before", async () => {
  const seen: string[] = [];
  const logIn = (_: object, context: HandlerContext) => {
    seen.push(token(context));
    return tokens(2, HOUR);
  };
  const store = tokensInMemory(tokens(1, 0));
  const { users } = connect({ users: { logIn } }, { store });

  await users.logIn({ email: "ada@example.com", password: "let me in, please" });

  assert.deepEqual(seen, [""]);
  assert.equal((store.load() as Tokens).accessToken, "access-2");
});

test("logging out forgets the session", async () => {
  const store = tokensInMemory(tokens(1, HOUR));
  const { users } = connect({ users: { logOut: () => ({}) } }, { store });

  await users.logOut({});

  assert.equal(store.load(), undefined);
});

test("tokens in a browser's storage come back as they were, and what is not tokens as none", () => {
  const items = new Map<string, string>();
  const store = tokensIn(storageOf(items));

  store.save(tokens(1, HOUR));
  assert.deepEqual(tokensIn(storageOf(items)).load(), tokens(1, HOUR));

  items.set("tradewind.tokens", "{");
  assert.equal(store.load(), undefined);
  store.save(undefined);
  assert.equal(items.size, 0);
});

function token(context: HandlerContext): string {
  return context.requestHeader.get("authorization") ?? "";
}

/** An RPC that notes the token of each call. */
function noting(seen: string[]) {
  return (_: object, context: HandlerContext) => {
    seen.push(token(context));
    return {};
  };
}

/** One piece of work after the other. */
function lock(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
}

function storageOf(items: Map<string, string>): Parameters<typeof tokensIn>[0] {
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  };
}
