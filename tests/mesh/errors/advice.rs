//! What to do about each failure, for whoever calls and for whoever is called at night.

/// What each code asks for, and what it is over HTTP.
pub(super) const BY_CODE: [(&str, u16, &str); 15] = [
    (
        "CANCELLED",
        499,
        "Nothing: the caller has gone away. A call that changes something may have had its effect; repeat it with its idempotency key.",
    ),
    (
        "INVALID_ARGUMENT",
        400,
        "Change the request: a repeat fails alike. The details name the field.",
    ),
    (
        "DEADLINE_EXCEEDED",
        504,
        "Ask again, with more time; a call that changes something with the same idempotency key. Often: look at the latency of what it calls.",
    ),
    (
        "NOT_FOUND",
        404,
        "Check the id and the project. What another may not see is not found either.",
    ),
    ("ALREADY_EXISTS", 409, "Read what is there, or choose another name."),
    (
        "PERMISSION_DENIED",
        403,
        "Sign in as somebody who may, or have the permission granted; a repeat fails alike.",
    ),
    (
        "RESOURCE_EXHAUSTED",
        429,
        "Wait as long as `RetryInfo` or `retry-after` says, then ask again.",
    ),
    (
        "FAILED_PRECONDITION",
        400,
        "Bring about what is missing, which the details name, then ask again.",
    ),
    ("ABORTED", 409, "Read again and repeat, after the time that `RetryInfo` says."),
    (
        "UNIMPLEMENTED",
        501,
        "Call what there is: reflection, `/openapi.json` and the contracts list it.",
    ),
    (
        "INTERNAL",
        500,
        "Nothing that a caller can: look for the trace id in the log, and report it.",
    ),
    (
        "UNAVAILABLE",
        503,
        "Ask again with growing pauses, with the same idempotency key. If it lasts: `/readyz` of the service, then its log.",
    ),
    (
        "DATA_LOSS",
        500,
        "Stop writing, keep the database as it is, and follow [backup.md](backup.md).",
    ),
    ("UNAUTHENTICATED", 401, "Sign in, or renew the access token with the refresh token."),
    ("UNKNOWN", 500, "As `INTERNAL`."),
];

/// What to do about reasons that are made of what they are of, by the variant: how they look, and the advice.
pub(super) const BY_DYNAMIC: [(&str, &str, &str); 3] = [
    (
        "NotFound",
        "`ORDER_NOT_FOUND`, `NOTE_NOT_FOUND`, …",
        "Check the id, the project (`tradewind-key`, token) and whose it is; list what there is.",
    ),
    (
        "AlreadyExists",
        "`ORDER_ALREADY_EXISTS`, …",
        "Read the one that is there, or change the columns that `columns` in the details names.",
    ),
    (
        "InvalidList",
        "`INVALID_FILTER`, `INVALID_ORDER`, `INVALID_PAGE_SIZE`, `INVALID_PAGE_TOKEN`",
        "Mend the field that is named; begin a list anew when its filter or order changes.",
    ),
];

/// What is said outside of the tables.
pub(super) const ELSEWHERE: [(&str, &str, &str); 5] = [
    (
        "INVALID_REQUEST",
        "INVALID_ARGUMENT",
        "The message breaks a rule of its contract: `BadRequest` in the details names each field and rule.",
    ),
    (
        "NOT_CONSUMED",
        "UNIMPLEMENTED",
        "Events come to a process that is older than who sends them: finish the upgrade; they are delivered again.",
    ),
    (
        "UNKNOWN_ENTITY",
        "NOT_FOUND",
        "channelz: the connection or the server has gone; list them again.",
    ),
    ("INVALID_PAGE", "INVALID_ARGUMENT", "channelz: ask with the ids of the page before."),
    ("TOO_MANY_SERVICES", "RESOURCE_EXHAUSTED", "Ask for the health of each service by its name."),
];

/// What to do about each reason, whoever says it.
pub(super) const ADVICE: &[(&str, &str)] = &[
    // Every call.
    (
        "UNKNOWN_METHOD",
        "Check the name and the version of the contract; the service may be older than the client.",
    ),
    (
        "DEADLINE_EXCEEDED",
        "Give more time (`grpc-timeout`), or find what is slow by the trace; repeat with the same idempotency key.",
    ),
    ("MALFORMED_TIMEOUT", "Send `grpc-timeout` as `500m`, `2S`: a generated client does."),
    (
        "UNAUTHENTICATED",
        "Send `authorization: Bearer` with an access token: StartGuestSession or LogIn gives one.",
    ),
    (
        "INVALID_TOKEN",
        "Renew the token with RefreshSession; if that fails too, log in. Between processes: check clocks and mesh keys with `tradewind doctor`.",
    ),
    (
        "NO_KEYS",
        "The users service cannot be asked which keys are good: see its `/readyz` and `dependency.keys` in health.",
    ),
    (
        "PERMISSION_DENIED",
        "Have an administrator grant a role with that permission, or call as somebody who has it.",
    ),
    ("SERVICES_ONLY", "Call one of the public RPCs instead; this one is for services of the mesh."),
    (
        "RATE_LIMITED",
        "Wait for `retry-after`. Raise `--reads-per-second` and the like when the caller is right to ask that often.",
    ),
    (
        "OVERLOADED",
        "Wait for `retry-after`. If it lasts, add replicas: see `mesh_admission_limit` and `mesh_admission_shed_total`.",
    ),
    (
        "IDEMPOTENCY_KEY_REQUIRED",
        "Send `idempotency-key` with a value of your own for each thing to be done, and the same for its repeats.",
    ),
    (
        "MALFORMED_IDEMPOTENCY_KEY",
        "Send one key, of 1 to 255 visible ASCII characters; a UUID does.",
    ),
    ("TRANSACTION_OPEN", "A bug of the service: report it with the trace id."),
    (
        "UNAVAILABLE",
        "Does the service run, and is its address right? `tradewind doctor` with the flags of the caller says why it is not reached.",
    ),
    (
        "TOO_MANY_CALLS",
        "More than 1024 calls to one service are under way: it is slow or stands; look at its latency, add replicas.",
    ),
    ("UNREPEATABLE", "A bug of the mesh: report it with the trace id."),
    (
        "STREAM_RESET",
        "The service broke the call off: its log says why. Repeat with the same idempotency key.",
    ),
    ("STREAM_CANCELLED", "As `STREAM_RESET`."),
    (
        "ENHANCE_YOUR_CALM",
        "The other side wants fewer calls or pings: a proxy between with limits of its own, as a rule.",
    ),
    ("INADEQUATE_SECURITY", "Both processes need TLS 1.3: give both `--certs`."),
    (
        "UNDECLARED_CALLER",
        "Declare the call (`CALLS` in the service's crate), or start the callee with `--allow NAME=SERVICE`.",
    ),
    ("UNKNOWN_ADDRESS", "Name the service with `--at NAME=TARGET`."),
    ("NO_CONSUMER", "The process that was called does not run the consumer: check `--at`."),
    ("UNKNOWN_SERVICE", "Name one of the services; the text says which it does not know."),
    ("PANIC", "A bug: report it with the trace id; only this call has failed."),
    (
        "DATABASE_UNAVAILABLE",
        "Is the database up? Calls are tried again, and go on when it is. `tradewind doctor` says why it is not reached.",
    ),
    (
        "DATABASE_FULL",
        "Make room on the disk that holds the data; nothing was changed, and calls go on by themselves when there is some.",
    ),
    ("DRAINING", "Call again: another replica answers. Nothing is wrong during a rollout."),
    ("NOT_ONE_MESSAGE", "Send exactly one message: the client does not fit the contract."),
    ("MESSAGE_TOO_LARGE", "Send less at once: 4 MiB is the most; import and lists have pages."),
    // The gateway.
    ("NO_ROUTE", "Check the path and the method against `/openapi.json`."),
    ("METHOD_NOT_ALLOWED", "Use a method of the `allow` header."),
    ("MALFORMED_PATH", "Encode what is not ASCII as `%XX`."),
    ("MALFORMED_QUERY", "Encode what is not ASCII as `%XX`; `%` itself is `%25`."),
    ("INVALID_PARAMETER", "Mend the parameter that is named."),
    ("INVALID_FIELD", "Mend the field that is named: its name, its type, its range."),
    ("MALFORMED_JSON", "Send JSON, UTF-8, one object."),
    (
        "MALFORMED_MESSAGE",
        "Send the message of the contract; client and service may be of different versions.",
    ),
    ("BODY_TOO_DEEP", "Nest less deeply."),
    ("BODY_TOO_LARGE", "Send less at once: 4 MiB is the most."),
    ("BODY_CUT", "The connection broke: send it again with the same idempotency key."),
    ("BODY_TOO_SLOW", "Send it whole and at once; a slow proxy between, as a rule."),
    ("UNSUPPORTED_MEDIA_TYPE", "Send the content type that the text names."),
    ("UNSUPPORTED_ENCODING", "Send gzip, or nothing compressed."),
    ("MALFORMED_ENCODING", "Compress as `content-encoding` says, or leave the header out."),
    ("NOT_ACCEPTABLE", "Accept identity or gzip."),
    ("INVALID_HEADER", "Send the header as the text says."),
    ("MALFORMED_FRAME", "Use a client of the protocol that the content type names."),
    ("HTTP2_REQUIRED", "Speak HTTP/2, or gRPC-Web or Connect over HTTP/1.1."),
    ("STREAMS", "Call it by POST, with Connect, gRPC-Web or gRPC."),
    ("UNNAMED_ENCODING", "Name the compression in `grpc-encoding` or `connect-content-encoding`."),
    (
        "SERVICE_NOT_RUNNING",
        "The service runs neither in this process nor at a known address: check `--at` of the gateway.",
    ),
    (
        "MALFORMED_ANSWER",
        "A bug, or a service much newer than the gateway: report it with the trace id.",
    ),
    // What is stored.
    ("REPLAY", "Never seen by a caller: it becomes the first call's answer."),
    (
        "TASK_NOT_DEAD",
        "Nothing: it is done by itself. `tradewind tasks list --state dead` lists those that wait for somebody.",
    ),
    (
        "EVENT_NOT_DEAD",
        "Nothing: it is delivered by itself. `tradewind events list --state dead` lists those that wait for somebody.",
    ),
    (
        "INVALID_SCHEDULE",
        "Five fields, such as `0 3 * * *`, and a time zone such as `Europe/Berlin`.",
    ),
    ("STALE_ETAG", "Read it again, make the change on what it is now, send the new etag."),
    (
        "IDEMPOTENCY_KEY_REUSED",
        "Use a new key for a new request; the old key answers the old request alone.",
    ),
    (
        "IDEMPOTENCY_KEY_IN_PROGRESS",
        "Ask again with the same key after `retry-after`: the first call still runs.",
    ),
    ("NUL_CHARACTER", "Leave out U+0000."),
    ("CONSTRAINT", "A value is out of the range that its column keeps: smaller amounts or counts."),
    ("CONFLICT", "Repeat: two changes met."),
    (
        "LEASE_LOST",
        "Ask again: another process goes on with it. If it is often: clocks (`tradewind doctor`), or `--task-lease-seconds` is too short.",
    ),
    (
        "DATABASE_BUSY",
        "Repeat. If it lasts: more `--connections`, faster statements, or more room at the server (`tradewind doctor` adds them up).",
    ),
    ("DATABASE_URL", "Mend `--database`."),
    ("COLLATION", "Make the database as the text says, with a C collation."),
    ("DIRECTORY", "Make the directory of `--data` writable for the process."),
    (
        "MIGRATION",
        "The text behind it says which statement failed; nothing was changed. Mend that, then `tradewind migrate`.",
    ),
    (
        "MIGRATION_CHANGED",
        "Never change a migration that has landed: take the file as it was, and add a new one.",
    ),
    ("SCHEMA_OLDER", "Run `tradewind migrate`, then start again."),
    (
        "SCHEMA_NEWER",
        "Run a version that knows these tables; see the release notes for what can be rolled back to.",
    ),
    ("TABLE", "A migration is missing for a field of the contract: add it."),
    (
        "MALFORMED_ROW",
        "A row is not what this version writes: keep the database, find who wrote it in `store_audit`.",
    ),
    ("ENCODING", "A bug: report it with the trace id."),
    ("UNSCOPED", "A bug: a statement does not bind its project."),
    ("TRANSACTION_ENDED", "A bug: report it with the trace id."),
    ("UNANSWERED", "A bug: report it with the trace id."),
    ("DATABASE", "The log has the database's own words: disk full, permissions, or a bug."),
    // Users.
    ("EMAIL_TAKEN", "Log in with it, or use another address."),
    (
        "INVALID_CREDENTIALS",
        "Check the address, the password and the project; which is wrong is not said.",
    ),
    ("TOO_MANY_FAILURES", "Wait for `retry-after`; many at once mean that somebody guesses."),
    (
        "LOGINS_BUSY",
        "Try again in a second. If it lasts: more replicas of users, or somebody floods logins.",
    ),
    ("ACCOUNT_SUSPENDED", "An administrator has suspended it, and can restore it."),
    (
        "PASSWORD_MUST_CHANGE",
        "Call ChangePassword with the one-time password and a new one; `tradewind login` asks for it.",
    ),
    (
        "PASSWORD_EXPIRED",
        "Have an administrator give another one-time password; `serve` prints a new one for the first administrator.",
    ),
    ("PASSWORD_UNCHANGED", "Choose another password."),
    (
        "INVALID_REFRESH_TOKEN",
        "Log in again. A refresh token is good once: a client that uses it twice ends its session.",
    ),
    ("NO_ACCOUNT", "Guests have no account: register or log in."),
    ("ROLE_ABOVE_OWN", "Have somebody do it whose role is not below."),
    ("PROJECT_NOT_FOUND", "`tradewind project list` lists those that there are."),
    ("PROJECT_EXISTS", "Choose another id, or go on with the one that is there."),
    ("INVALID_PROJECT", "Mend the field that is named."),
    ("HASHING", "Look into the log: memory for hashing may be short."),
    ("NO_THREADS", "The process ends, or a bug: look into the log."),
    ("SIGNING_KEY", "A stored signing key is damaged: restore the users database."),
    ("NO_SIGNING_KEY", "The clock has jumped, or a bug: check it with `tradewind doctor`."),
    // Catalog.
    ("INVALID_PRODUCT", "Mend the field that is named."),
    (
        "PRODUCT_NOT_FOUND",
        "Check the id and the project; customers see products that are on sale alone.",
    ),
    ("IMPORT_CONFLICT", "Import the batch again."),
    ("CATEGORY_NOT_FOUND", "List the categories."),
    ("UNKNOWN_PARENT", "Make the parent first, or leave it out."),
    ("CATEGORY_CYCLE", "Choose a parent that is not below it."),
    ("CATEGORY_NOT_EMPTY", "Move or delete what stands in it first."),
    ("VARIANT_NOT_FOUND", "Check the id and the project."),
    ("STOCK_NOT_COUNTED", "Set the stock of the variant once, to begin counting."),
    ("STOCK_BELOW_RESERVED", "Cancel orders that hold it, or keep at least what they hold."),
    ("REPEATED_LINE", "Add the lines of one variant up."),
    ("VARIANT_NOT_SOLD", "Take the line out: the product is a draft, archived, or gone."),
    ("OUT_OF_STOCK", "Ask for no more than the details say is available."),
    ("STOCK_CONTENDED", "Repeat after `retry-after`: many buy the same at once."),
    ("RESERVATION_EXISTS", "A repeat must have the same lines; a new order has a new id."),
    ("RESERVATION_RELEASED", "The order has ended: place a new one."),
    ("INVALID_PAGE_TOKEN", "Send `next_page_token` as it came, or begin anew without one."),
    (
        "SEARCH",
        "The index is rebuilt at the next start when its directory is removed; see the log.",
    ),
    (
        "SEARCH_UNAVAILABLE",
        "The index could not be opened: room and rights of `--data`, then start again.",
    ),
    // Cart, orders.
    ("NO_CUSTOMER", "Call with the token of a customer or guest."),
    ("QUANTITY_LIMIT", "Put fewer of it into the cart."),
    ("CART_FULL", "Order what is there first."),
    (
        "INVALID_GUEST_TOKEN",
        "Send the access token that the guest's session has, not one that has ended.",
    ),
    ("NOT_A_GUEST", "Send a guest's token of the same project."),
    ("AMOUNTS", "Prices of different currencies, or too large: mend them in the catalog."),
    ("NOTHING_TO_ORDER", "Put something into the cart, or send lines."),
    ("VARIANT_TWICE", "Add the lines of one variant up."),
    ("EMAIL_REQUIRED", "Send `email`: a guest has no other."),
    ("INVALID_EMAIL", "Send an address such as `ada@example.com`."),
    ("ORDER_NOT_FOUND", "Check the id and whose it is; a guest needs the token of the order."),
    ("SAGA_NOT_FOUND", "`tradewind sagas list` lists what is under way."),
    ("ANOTHER_CUSTOMERS_ORDER", "Call as the customer, or with `orders.manage`."),
    (
        "WRONG_ORDER_STATE",
        "Read the order: its state does not allow it, or the repeat came too late.",
    ),
    (
        "PAYMENT_UNRESOLVED",
        "Wait: the provider is asked until it says. Never pay again by hand meanwhile; `tradewind audit` shows those that last.",
    ),
    (
        "PAYMENT_REQUIRES_ACTION",
        "Send the customer to `payment.next_action`, then call PayOrder again.",
    ),
    (
        "ORDER_NOT_PLACED",
        "Place it again, with a new key: its checkout was refused by a process that then ended.",
    ),
    ("ORDER_EXPIRED", "Place a new order: its stock was given back."),
    ("REFUND_OUT_OF_RANGE", "Ask for an amount within what the text says."),
    (
        "REFUND_REFUSED",
        "The provider refuses: see its own console for why, and give the money back there if it must be.",
    ),
    ("WRONG_CURRENCY", "Use the currency that the order was paid in."),
    (
        "UNPRICEABLE",
        "The project's currency or shipping rate does not fit its prices: mend the project or the products.",
    ),
    ("ORDER_BUSY", "Ask again after `retry-after`. If it lasts: `tradewind sagas list --stuck`."),
    // Payments, ledger, notifications.
    (
        "CARD_NUMBER_REFUSED",
        "Send the provider's token; a card number must never reach the shop. Rotate what has logged it.",
    ),
    ("INVALID_AMOUNT", "Send an amount above 0."),
    ("PAYMENT_DIFFERS", "A repeat must be the same; use a new id for something new."),
    (
        "NO_PROVIDER",
        "Use a payment method that a provider of this mesh takes; `sim_ok` and the like are the simulator's.",
    ),
    ("PROVIDER_GONE", "Configure the provider again until its attempts are settled."),
    ("PAYMENT_NOT_FOUND", "Check the order's id; it may never have been paid for."),
    (
        "PAYMENT_IN_REVIEW",
        "Answers contradict each other: compare with the provider (`tradewind audit`), then decide.",
    ),
    ("PAYMENT_CANCELED", "Place a new order."),
    ("ATTEMPT_SUPERSEDED", "Go on with the newest attempt of the order."),
    ("PAYMENT_NOT_PAID", "There is nothing to give back."),
    ("REFUND_EXCEEDS_CAPTURED", "Ask for no more than is left."),
    ("NO_ACTION_REQUIRED", "Nothing: the payment goes on without its customer."),
    ("NOT_SIMULATED", "Send the customer to the provider's pages."),
    (
        "PROVIDER_UNREACHABLE",
        "Repeat: nothing was taken. If it lasts: the provider's status page, and the way out of this network.",
    ),
    ("PROVIDER_UNANSWERED", "Audit again later; the rest of the report holds."),
    ("LEDGER_UNREACHABLE", "Repeat. If it lasts: `/readyz` of the ledger."),
    (
        "LEDGER_REFUSED",
        "Books do not allow the movement: `tradewind audit`, and report it with the trace id.",
    ),
    ("INTERRUPTED", "Ask again with the same ids: a transfer that was made is not made twice."),
    ("NOTIFICATION_NOT_FOUND", "List the customer's notifications."),
    (
        "NO_ORDER",
        "An event without its order: a bug of who tells it, or a version between; it is delivered again.",
    ),
    ("TEMPLATE", "A bug of a mail's template: report it with the trace id."),
    ("NOT_SENT", "It is tried again. If it lasts: `--smtp`, the mail server's log, its limits."),
];
