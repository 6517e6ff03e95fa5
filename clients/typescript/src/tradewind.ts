// One connection to a mesh: a client of each service, in one session.
import { createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import {
  AuditService,
  CartService,
  CatalogService,
  LedgerService,
  NotificationsService,
  OrdersService,
  OutboxService,
  PaymentsService,
  SagasService,
  StockService,
  TasksService,
  UsersService,
} from "./gen/index.js";
import { policyOf } from "./policy.js";
import { pace } from "./repeat.js";
import { Session } from "./session.js";
import { tokensInMemory, type TokenStore } from "./tokens.js";
import { meshTransport } from "./transport.js";

/** How a mesh is reached, and as whom. */
export interface TradewindOptions {
  /** Where its gateway is, such as `https://shop.example.com`. */
  readonly baseUrl: string;
  /** `connect` unless said otherwise. */
  readonly protocol?: "connect" | "grpc-web";
  /** An access token that somebody else renews; without it, the session begins with a call that answers `Tokens`. */
  readonly token?: string;
  /** Where the tokens of the session are kept; in memory unless said otherwise. */
  readonly tokens?: TokenStore;
  /** Told when the mesh no longer knows the session: it is time to log in again. */
  readonly onSessionEnd?: () => void;
  /** Called around each attempt of each call. */
  readonly interceptors?: Interceptor[];
  /** A `fetch` of your own. */
  readonly fetch?: typeof globalThis.fetch;
}

/** A client of each service of a mesh. */
export interface Tradewind {
  readonly users: Client<typeof UsersService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly stock: Client<typeof StockService>;
  readonly cart: Client<typeof CartService>;
  readonly orders: Client<typeof OrdersService>;
  readonly sagas: Client<typeof SagasService>;
  readonly payments: Client<typeof PaymentsService>;
  readonly ledger: Client<typeof LedgerService>;
  readonly notifications: Client<typeof NotificationsService>;
  readonly audit: Client<typeof AuditService>;
  readonly tasks: Client<typeof TasksService>;
  readonly outbox: Client<typeof OutboxService>;
  /** For clients of contracts of your own that the same gateway answers. */
  readonly transport: Transport;
}

/** Clients of the mesh at an address. Nothing is sent before the first call. */
export function connectTradewind(options: TradewindOptions): Tradewind {
  const wire = wireOf(options);
  const users = createClient(UsersService, wire);
  const refreshOptions = { timeoutMs: policyOf(UsersService.method.refreshSession).deadlineMs ?? 0 };
  const session = new Session({
    store: options.tokens ?? tokensInMemory(),
    refresh: (refreshToken) => users.refreshSession({ refreshToken }, refreshOptions),
    onEnd: options.onSessionEnd,
  });
  const transport = meshTransport(wire, session, pace);
  return {
    users: createClient(UsersService, transport),
    catalog: createClient(CatalogService, transport),
    stock: createClient(StockService, transport),
    cart: createClient(CartService, transport),
    orders: createClient(OrdersService, transport),
    sagas: createClient(SagasService, transport),
    payments: createClient(PaymentsService, transport),
    ledger: createClient(LedgerService, transport),
    notifications: createClient(NotificationsService, transport),
    audit: createClient(AuditService, transport),
    tasks: createClient(TasksService, transport),
    outbox: createClient(OutboxService, transport),
    transport,
  };
}

function wireOf({ baseUrl, protocol = "connect", token, interceptors = [], fetch }: TradewindOptions): Transport {
  const given: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const options = {
    baseUrl,
    useBinaryFormat: true,
    interceptors: token === undefined ? interceptors : [given, ...interceptors],
    ...(fetch !== undefined && { fetch }),
  };
  switch (protocol) {
    case "connect":
      return createConnectTransport(options);
    case "grpc-web":
      return createGrpcWebTransport(options);
  }
}
