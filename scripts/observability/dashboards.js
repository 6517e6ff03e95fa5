// Writes the Grafana dashboards of helm/tradewind/files/dashboards: what they show is said here, once, as tables.
// Usage: node scripts/observability/dashboards.js write|check
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const FOLDER = path.join(__dirname, '../../helm/tradewind/files/dashboards');
const BAD = 'UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED';
const NS = 'namespace=~"$namespace"';
const SERVER = `${NS},grpc_method=~"tradewind[.].*"`;
const SERVICES = ['users', 'catalog', 'cart', 'orders', 'payments', 'ledger', 'notifications'];
// Which service answers is in the name of its contract.
const byService = (of) => `label_replace(${of}, "service", "$1", "grpc_method", "tradewind[.]([a-z]+)[.]v1[.].*")`;

/** A panel: its title, its unit, what it asks as [expression, legend] pairs; half a row wide unless it says otherwise. */
function panel(title, unit, targets, more = {}) {
  return { title, unit, targets, width: 12, height: 8, type: 'timeseries', ...more };
}
const stat = (title, unit, expr, steps) => panel(title, unit, [[expr, '']], { type: 'stat', width: 4, height: 4, steps });
const table = (title, unit, expr) => panel(title, unit, [[expr, '']], { type: 'table', width: 24 });

/** Calls, failures and times of the RPCs that a selector chooses, by a label. */
function golden(selector, by, legend, wrap = (of) => of) {
  const sum = (of) => `sum by (${by}) (${wrap(`rate(${of}[$__rate_interval])`)})`;
  const quantile = (q) =>
    `histogram_quantile(${q}, sum by (${by}, le) (${wrap(`rate(grpc_server_call_duration_seconds_bucket{${selector}}[$__rate_interval])`)}))`;
  return [
    panel('Calls a second', 'reqps', [[sum(`grpc_server_call_duration_seconds_count{${selector}}`), legend]]),
    panel('Share that fails', 'percentunit', [[
      `${sum(`grpc_server_call_duration_seconds_count{${selector},grpc_status=~"${BAD}"}`)} / ${sum(`grpc_server_call_duration_seconds_count{${selector}}`)}`, legend]]),
    panel('Median time', 's', [[quantile(0.5), legend]], { exemplars: true }),
    panel('Time of one in a hundred', 's', [[quantile(0.99), legend]], { exemplars: true }),
  ];
}

/** The rows that a service has of its own. */
function own(service) {
  const rows = {
    orders: [
      panel('Orders placed and paid, a second', 'reqps', [[
        `sum by (grpc_method, grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"tradewind.orders.v1.OrdersService/(PlaceOrder|PayOrder|CancelOrder|RefundOrder)"}[$__rate_interval]))`, '{{grpc_method}} {{grpc_status}}']]),
      panel('Processes that take too long', 'short', [[`max by (kind) (orders_sagas_stuck{${NS}})`, '{{kind}}']]),
    ],
    catalog: [panel('Searches and lists answered from memory, a second', 'reqps', [[
      `sum by (grpc_method) (rate(mesh_response_cache_hits_total{${NS},grpc_method=~"tradewind.catalog.*"}[$__rate_interval]))`, '{{grpc_method}}']])],
    payments: [panel('Payments by outcome of the call, a second', 'reqps', [[
      `sum by (grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method="tradewind.payments.v1.PaymentsService/Pay"}[$__rate_interval]))`, '{{grpc_status}}']])],
    ledger: [panel('Commits of the book, a second', 'ops', [[
      `sum by (method) (rate(store_commits_total{${NS},service="ledger"}[$__rate_interval]))`, '{{method}}']])],
    users: [panel('Secrets checked, a second', 'reqps', [[
      `sum by (grpc_method, grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"tradewind.users.v1.UsersService/(LogIn|Register|ChangePassword|RefreshSession)"}[$__rate_interval]))`, '{{grpc_method}} {{grpc_status}}']])],
    cart: [panel('Changes of carts, a second', 'reqps', [[
      `sum by (grpc_method) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"tradewind.cart.v1.CartService/(AddLine|SetQuantity|RemoveLine|MergeCart|ClearCart)"}[$__rate_interval]))`, '{{grpc_method}}']])],
    notifications: [panel('Events that became a mail, a second', 'ops', [[
      `sum by (method) (rate(store_commits_total{${NS},service="notifications",method=~"tradewind.*"}[$__rate_interval]))`, '{{method}}']])],
  };
  return rows[service];
}

const rpcs = (service) => `${NS},grpc_method=~"tradewind.${service}.v1.*"`;

/** A dashboard of one service: its RPCs, what it commits and gave up, and what only it has. */
function ofService(service) {
  return {
    title: `Tradewind / ${service}`,
    rows: [
      ['RPCs', golden(rpcs(service), 'grpc_method', '{{grpc_method}}')],
      ['Its own', own(service)],
      ['Storage, tasks, events', [
        panel('Commits a second, by what for', 'ops', [[`sum by (method) (rate(store_commits_total{${NS},service="${service}"}[$__rate_interval]))`, '{{method}}']]),
        panel('Given up: each waits for a person', 'short', [
          [`max by (kind) (store_tasks_dead{${NS},service="${service}"})`, 'task {{kind}}'],
          [`max by (kind) (store_events_dead{${NS},service="${service}"})`, 'event {{kind}}'],
        ]),
        panel('Tasks that wait, and those that are overdue', 'short', [
          [`max by (kind) (store_tasks_waiting{${NS},service="${service}"})`, '{{kind}}'],
          [`max by (kind) (store_tasks_overdue{${NS},service="${service}"})`, '{{kind}} overdue'],
        ]),
        panel('Waits for a database connection: the middle one, and one in a hundred', 's', [0.5, 0.99].map((q) => [
          `histogram_quantile(${q}, sum by (le) (rate(store_connection_wait_seconds_bucket{${NS},service="${service}"}[$__rate_interval])))`, `${q * 100} %`])),
      ]],
      ['Its answers by status', [panel('Answers that are not OK, a second', 'reqps', [[
        `sum by (grpc_method, grpc_status) (rate(grpc_server_call_duration_seconds_count{${rpcs(service)},grpc_status!="OK"}[$__rate_interval]))`, '{{grpc_method}} {{grpc_status}}']], { width: 24 })]],
    ],
  };
}

const DASHBOARDS = {
  overview: {
    title: 'Tradewind / overview',
    rows: [
      ['Now', [
        stat('Processes that answer', 'short', `sum(up{job=~"(.*/)?tradewind.*",${NS}})`),
        stat('Calls a second', 'reqps', `sum(rate(grpc_server_call_duration_seconds_count{${SERVER}}[$__rate_interval]))`),
        stat('Share that fails', 'percentunit', `sum(rate(grpc_server_call_duration_seconds_count{${SERVER},grpc_status=~"${BAD}"}[$__rate_interval])) / sum(rate(grpc_server_call_duration_seconds_count{${SERVER}}[$__rate_interval]))`, [0.001, 0.01]),
        stat('Orders in the last hour', 'short', `sum(increase(grpc_server_call_duration_seconds_count{${NS},grpc_method="tradewind.orders.v1.OrdersService/PlaceOrder",grpc_status="OK"}[1h]))`),
        stat('Processes that are stuck', 'short', `sum(max by (kind) (orders_sagas_stuck{${NS}}))`, [1, 5]),
        stat('Age of the last good backup', 's', `time() - max(backup_last_good_seconds{${NS}})`, [8 * 3600, 13 * 3600]),
      ]],
      ['Objectives', [
        panel('Share of bad calls within the hour, by objective', 'percentunit', [[`tradewind:slo_bad:ratio_rate1h{${NS}}`, '{{slo}}'], ['tradewind:slo_budget:ratio', 'budget of {{slo}}']]),
        panel('How often the budget is spent at this pace (1 is just all of it)', 'short', [[`tradewind:slo_bad:ratio_rate1h{${NS}} / on (slo) group_left () tradewind:slo_budget:ratio`, '{{slo}}']]),
        panel('Budget of thirty days, judged by the last three', 'percentunit', [[`1 - tradewind:slo_bad:ratio_rate3d{${NS}} / on (slo) group_left () tradewind:slo_budget:ratio`, '{{slo}}']], { width: 24 }),
      ]],
      ['Services', golden(SERVER, 'service', '{{service}}', byService)],
      ['Alerts', [table('What fires', 'short', `ALERTS{alertstate="firing",${NS}}`)]],
    ],
  },
  rpcs: {
    title: 'Tradewind / RPCs',
    variables: [{ name: 'method', query: `label_values(grpc_server_call_started_total{${SERVER}}, grpc_method)` }],
    rows: [
      ['As they arrive', [
        ...golden(`${NS},grpc_method=~"$method"`, 'grpc_method', '{{grpc_method}}'),
        panel('Answers by status, a second', 'reqps', [[`sum by (grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"$method"}[$__rate_interval]))`, '{{grpc_status}}']]),
        panel('Bytes of answers, middle one', 'bytes', [[`histogram_quantile(0.5, sum by (grpc_method, le) (rate(grpc_server_call_sent_total_compressed_message_size_bytes_bucket{${NS},grpc_method=~"$method"}[$__rate_interval])))`, '{{grpc_method}}']]),
      ]],
      ['As other processes call them', [
        panel('Calls a second, by status', 'reqps', [[`sum by (grpc_target, grpc_status) (rate(grpc_client_call_duration_seconds_count{${NS},grpc_method=~"$method"}[$__rate_interval]))`, '{{grpc_target}} {{grpc_status}}']]),
        panel('Time of one in a hundred, with all tries', 's', [[`histogram_quantile(0.99, sum by (grpc_target, le) (rate(grpc_client_call_duration_seconds_bucket{${NS},grpc_method=~"$method"}[$__rate_interval])))`, '{{grpc_target}}']]),
        panel('Tries for each call', 'short', [[`sum by (grpc_target) (rate(grpc_client_attempt_started_total{${NS},grpc_method=~"$method"}[$__rate_interval])) / sum by (grpc_target) (rate(grpc_client_call_duration_seconds_count{${NS},grpc_method=~"$method"}[$__rate_interval]))`, '{{grpc_target}}']]),
        panel('Tries by status, a second', 'reqps', [[`sum by (grpc_status) (rate(grpc_client_attempt_duration_seconds_count{${NS},grpc_method=~"$method"}[$__rate_interval]))`, '{{grpc_status}}']]),
      ]],
    ],
  },
  money: {
    title: 'Tradewind / money',
    rows: [
      ['Do the books agree', [
        stat('Disagreements of the last audit', 'short', `max(tradewind_audit_disagreements{${NS}})`, [1, 1]),
        stat('Age of the last audit', 's', `time() - max(tradewind_audit_last_run_seconds{${NS}})`, [86400, 172800]),
        stat('Checkouts that are stuck', 'short', `max(orders_sagas_stuck{${NS},kind="checkout"})`, [1, 1]),
        stat('Cancellations that are stuck', 'short', `max(orders_sagas_stuck{${NS},kind="cancelling"})`, [1, 5]),
        stat('Refunds that are stuck', 'short', `max(orders_sagas_stuck{${NS},kind="refunding"})`, [1, 5]),
        stat('Tasks about money given up', 'short', `sum(max by (service, kind) (store_tasks_dead{${NS},service=~"orders|payments|ledger"}))`, [1, 1]),
      ]],
      ['Orders', [
        panel('Orders placed in an hour, and a day and a week before', 'short', [
          ...[['', 'now'], [' offset 1d', 'a day before'], [' offset 1w', 'a week before']].map(([offset, legend]) => [
            `sum(increase(grpc_server_call_duration_seconds_count{${NS},grpc_method="tradewind.orders.v1.OrdersService/PlaceOrder",grpc_status="OK"}[1h]${offset}))`, legend]),
        ]),
        panel('What PlaceOrder and PayOrder answered, a second', 'reqps', [[`sum by (grpc_method, grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"tradewind.orders.v1.OrdersService/(PlaceOrder|PayOrder)"}[$__rate_interval]))`, '{{grpc_method}} {{grpc_status}}']]),
        panel('How long an order takes', 's', [0.5, 0.95, 0.99].map((q) => [`histogram_quantile(${q}, sum by (le) (rate(grpc_server_call_duration_seconds_bucket{${NS},grpc_method="tradewind.orders.v1.OrdersService/PlaceOrder"}[$__rate_interval])))`, `${q * 100} %`]), { exemplars: true }),
        panel('Refunds and cancellations, a second', 'reqps', [[`sum by (grpc_method, grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"tradewind.orders.v1.OrdersService/(RefundOrder|CancelOrder)"}[$__rate_interval]))`, '{{grpc_method}} {{grpc_status}}']]),
      ]],
      ['Payments and the ledger', [
        panel('Payments by status of the call, a second', 'reqps', [[`sum by (grpc_method, grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method=~"tradewind.payments.v1.PaymentsService/(Pay|CancelPayment|RefundPayment)"}[$__rate_interval]))`, '{{grpc_method}} {{grpc_status}}']]),
        panel('Transfers written to the book, commits a second', 'ops', [[`sum by (method) (rate(store_commits_total{${NS},service="ledger"}[$__rate_interval]))`, '{{method}}']]),
      ]],
    ],
  },
  'tasks-and-events': {
    title: 'Tradewind / tasks and events',
    rows: [
      ['Given up: each waits for a person', [
        panel('Tasks given up', 'short', [[`max by (service, kind) (store_tasks_dead{${NS}})`, '{{service}} {{kind}}']]),
        panel('Events given up', 'short', [[`max by (service, kind) (store_events_dead{${NS}})`, '{{service}} {{kind}}']]),
        panel('Tasks and events given up, in an hour', 'short', [
          [`sum by (service, method) (increase(store_tasks_given_up_total{${NS}}[1h]))`, '{{service}} {{method}}'],
          [`sum by (service, method) (increase(store_events_given_up_total{${NS}}[1h]))`, '{{service}} {{method}}'],
        ], { width: 24 }),
      ]],
      ['Still to do', [
        panel('Tasks that nobody does yet, those for later too (10,000 are counted at most)', 'short', [[`max by (service, kind) (store_tasks_waiting{${NS}})`, '{{service}} {{kind}}']]),
        panel('Tasks due for longer than a minute', 'short', [[`max by (service, kind) (store_tasks_overdue{${NS}})`, '{{service}} {{kind}}']]),
      ]],
      ['Done', [
        panel('Tasks done, a second', 'ops', [[`sum by (service, method) (rate(store_commits_total{${NS},method!~"tradewind.*|take_tasks|publish"}[$__rate_interval]))`, '{{service}} {{method}}']]),
        panel('Events that had their effect, a second', 'ops', [[`sum by (service, method) (rate(store_commits_total{${NS},method=~"tradewind[.][a-z]+[.]v1[.][A-Za-z]+"}[$__rate_interval]))`, '{{service}} {{method}}']]),
        panel('Events taken to consumers, commits a second', 'ops', [[`sum by (service) (rate(store_commits_total{${NS},method="publish"}[$__rate_interval]))`, '{{service}}']]),
        panel('Deliveries by call, and what came of them, a second', 'reqps', [[`sum by (grpc_status) (rate(grpc_server_call_duration_seconds_count{${NS},grpc_method="tradewind.mesh.v1.EventsService/Deliver"}[$__rate_interval]))`, '{{grpc_status}}']]),
      ]],
      ['Redis', [
        panel('Batches by the way that they took, a second', 'ops', [[`sum by (way) (rate(redis_event_batches_total{${NS}}[$__rate_interval]))`, '{{way}}']]),
        panel('Partitions held, by process (8 for each consumer in all)', 'short', [[`redis_partitions_held{${NS}}`, '{{instance}}']]),
        panel('Processes of orders that take too long', 'short', [[`max by (kind) (orders_sagas_stuck{${NS}})`, '{{kind}}']], { width: 24 }),
      ]],
    ],
  },
  saturation: {
    title: 'Tradewind / saturation',
    rows: [
      ['Admission', [
        panel('Places taken, of those that there are', 'percentunit', [[`mesh_admission_in_flight{${NS}} / mesh_admission_limit{${NS}}`, '{{instance}}']]),
        panel('Calls refused as too many, a second', 'reqps', [[`sum by (instance, criticality) (rate(mesh_admission_shed_total{${NS}}[$__rate_interval]))`, '{{instance}} {{criticality}}']]),
        panel('How many calls at once a process takes', 'short', [[`mesh_admission_limit{${NS}}`, '{{instance}}']]),
        panel('Calls being answered', 'short', [[`grpc_server_calls_in_flight{${NS}}`, '{{instance}}']]),
      ]],
      ['Ways between processes', [
        panel('Endpoints that take calls', 'short', [[`sum by (grpc_target) (max by (grpc_target, endpoint) (mesh_endpoint_ready{${NS}}))`, '{{grpc_target}}']]),
        panel('Endpoints left alone (shut) or failing more than others (ejected)', 'short', [
          [`sum by (grpc_target) (max by (grpc_target, endpoint) (mesh_endpoint_shut{${NS}}))`, 'shut {{grpc_target}}'],
          [`sum by (grpc_target) (max by (grpc_target, endpoint) (mesh_endpoint_ejected{${NS}}))`, 'ejected {{grpc_target}}'],
        ]),
        panel('Connections made, failed and ended, a second', 'ops', [
          [`sum by (grpc_target) (rate(grpc_subchannel_connection_attempts_succeeded_total{${NS}}[$__rate_interval]))`, 'made {{grpc_target}}'],
          [`sum by (grpc_target) (rate(grpc_subchannel_connection_attempts_failed_total{${NS}}[$__rate_interval]))`, 'failed {{grpc_target}}'],
          [`sum by (grpc_target) (rate(grpc_subchannel_disconnections_total{${NS}}[$__rate_interval]))`, 'ended {{grpc_target}}'],
        ]),
        panel('Connections that are open', 'short', [[`sum by (grpc_target) (grpc_subchannel_open_connections{${NS}})`, '{{grpc_target}}']]),
      ]],
      ['Connections to databases', [
        panel('Waits for one, a second, and those in vain', 'ops', [
          [`sum by (service) (rate(store_connection_wait_seconds_count{${NS}}[$__rate_interval]))`, '{{service}}'],
          [`sum by (service) (rate(store_connection_waits_in_vain_total{${NS}}[$__rate_interval]))`, '{{service}} in vain'],
        ]),
        panel('Time waited for one: one in a hundred of those who wait', 's', [[`histogram_quantile(0.99, sum by (service, le) (rate(store_connection_wait_seconds_bucket{${NS}}[$__rate_interval])))`, '{{service}}']]),
        panel('How many wait at once, on average', 'short', [[`sum by (service) (rate(store_connection_wait_seconds_sum{${NS}}[$__rate_interval]))`, '{{service}}']], { width: 24 }),
      ]],
      ['What processes use', [
        panel('Memory, and what it may be', 'bytes', [
          [`max by (pod) (container_memory_working_set_bytes{${NS},container="tradewind"})`, '{{pod}}'],
          [`max by (pod) (kube_pod_container_resource_limits{${NS},container="tradewind",resource="memory"})`, 'limit of {{pod}}'],
        ]),
        panel('Processors', 'short', [[`sum by (pod) (rate(container_cpu_usage_seconds_total{${NS},container="tradewind"}[$__rate_interval]))`, '{{pod}}']]),
        panel('Disk that is left', 'percentunit', [
          [`kubelet_volume_stats_available_bytes{${NS}} / kubelet_volume_stats_capacity_bytes{${NS}}`, '{{persistentvolumeclaim}}'],
          ['node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"}', '{{instance}} {{mountpoint}}'],
        ]),
        panel('Commits of the stores, a second', 'ops', [[`sum by (service) (rate(store_commits_total{${NS}}[$__rate_interval]))`, '{{service}}']]),
      ]],
    ],
  },
  caches: {
    title: 'Tradewind / caches',
    rows: [
      ['Each cache', [
        panel('Share of lookups that found something', 'percentunit', [[`sum by (cache) (rate(mesh_cache_hits_total{${NS}}[$__rate_interval])) / (sum by (cache) (rate(mesh_cache_hits_total{${NS}}[$__rate_interval])) + sum by (cache) (rate(mesh_cache_misses_total{${NS}}[$__rate_interval])))`, '{{cache}}']]),
        panel('Hits and misses, a second', 'ops', [
          [`sum by (cache) (rate(mesh_cache_hits_total{${NS}}[$__rate_interval]))`, 'hits of {{cache}}'],
          [`sum by (cache) (rate(mesh_cache_misses_total{${NS}}[$__rate_interval]))`, 'misses of {{cache}}'],
        ]),
        panel('Let go for room or age, a second', 'ops', [[`sum by (cache) (rate(mesh_cache_evictions_total{${NS}}[$__rate_interval]))`, '{{cache}}']]),
        panel('Time of a lookup: the middle one, and one in a hundred', 's', [0.5, 0.99].map((q) => [
          `histogram_quantile(${q}, sum by (cache, le) (rate(mesh_cache_lookup_duration_seconds_bucket{${NS}}[$__rate_interval])))`, `{{cache}} ${q * 100} %`])),
      ]],
      ['Kept answers', [
        panel('Answers from memory, a second', 'reqps', [[`sum by (grpc_method) (rate(mesh_response_cache_hits_total{${NS}}[$__rate_interval]))`, '{{grpc_method}}']]),
        panel('Share of calls answered from memory', 'percentunit', [[`sum by (grpc_method) (rate(mesh_response_cache_hits_total{${NS}}[$__rate_interval])) / sum by (grpc_method) (rate(grpc_server_call_duration_seconds_count{${NS}}[$__rate_interval]))`, '{{grpc_method}}']]),
        panel('Answers that were made, a second (misses)', 'reqps', [[`sum by (grpc_method) (rate(grpc_server_call_duration_seconds_count{${NS}}[$__rate_interval])) - sum by (grpc_method) (rate(mesh_response_cache_hits_total{${NS}}[$__rate_interval]))`, '{{grpc_method}}']]),
        panel('Time of RPCs whose answers are kept: the middle one, and one in a hundred', 's', [0.5, 0.99].map((q) => [
          `histogram_quantile(${q}, sum by (grpc_method, le) (rate(grpc_server_call_duration_seconds_bucket{${NS}}[$__rate_interval]) and on (grpc_method) mesh_response_cache_hits_total{${NS}}))`, `{{grpc_method}} ${q * 100} %`])),
      ]],
      ['Redis, where replicas share them', [
        panel('Redis is asked (0: each process is on its own)', 'short', [[`redis_up{${NS}}`, '{{instance}}']]),
        panel('Commands by outcome, a second', 'ops', [[`sum by (outcome) (rate(redis_commands_total{${NS}}[$__rate_interval]))`, '{{outcome}}']]),
      ]],
    ],
  },
};
// The gateway has no RPCs of its own: what customers call is counted where it is answered.
const INNER = 'ListLines|CommitReservation|ReleaseReservation|Reserve|CreateAccounts|CreateTransfers|Deliver|CancelPayment|Pay|RefundPayment|GetTrust';
const EDGE = `${SERVER},grpc_method!~".*/(${INNER})"`;
DASHBOARDS['service-gateway'] = {
  title: 'Tradewind / gateway',
  rows: [
    ['What customers and merchants call, by the service that answers', golden(EDGE, 'service', '{{service}}', byService)],
    ['What they are told', [
      panel('Answers that are not OK, a second', 'reqps', [[`sum by (grpc_status) (rate(grpc_server_call_duration_seconds_count{${EDGE},grpc_status!="OK"}[$__rate_interval]))`, '{{grpc_status}}']]),
      panel('Refused as too many, a second', 'reqps', [[`sum by (criticality) (rate(mesh_admission_shed_total{${NS},criticality=~"read|write"}[$__rate_interval]))`, '{{criticality}}']]),
      panel('Calls that reached no server, a second', 'reqps', [[`tradewind:calls_unseen:rate5m{${NS}}`, '{{namespace}}']]),
      panel('Streams of notifications begun, a second', 'reqps', [[`sum by (grpc_method) (rate(grpc_server_call_started_total{${NS},grpc_method=~".*/Watch.*"}[$__rate_interval]))`, '{{grpc_method}}']]),
    ]],
  ],
};
for (const service of SERVICES) DASHBOARDS[`service-${service}`] = ofService(service);

/** A variable of a dashboard, asked of Prometheus. */
function variable(name, query) {
  return {
    name, label: name, type: 'query', query: { query, refId: name }, definition: query, refresh: 2, sort: 1,
    datasource: { type: 'prometheus', uid: '${datasource}' },
    includeAll: true, allValue: '.*', multi: false, current: { text: 'All', value: '$__all' },
  };
}

function drawn({ title, unit, targets, width, height, type, steps, exemplars }, id, x, y) {
  const colours = ['green', 'orange', 'red'];
  const thresholds = steps
    ? { mode: 'absolute', steps: [null, ...steps].map((value, at) => ({ color: colours[at], value })) }
    : undefined;
  return {
    id, title, type, gridPos: { x, y, w: width, h: height },
    datasource: { type: 'prometheus', uid: '${datasource}' },
    fieldConfig: { defaults: { unit, min: type === 'timeseries' ? 0 : undefined, thresholds }, overrides: [] },
    options: type === 'timeseries' ? { legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] }, tooltip: { mode: 'multi', sort: 'desc' } } : {},
    targets: targets.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode(65 + at), expr, legendFormat: legendFormat || undefined, exemplar: exemplars,
      ...(type === 'timeseries' ? {} : { instant: true }), ...(type === 'table' ? { format: 'table' } : {}),
      datasource: { type: 'prometheus', uid: '${datasource}' },
    })),
  };
}

/** A dashboard as Grafana reads it. */
function dashboard(name, { title, rows, variables = [] }) {
  const panels = [];
  let id = 1;
  let y = 0;
  for (const [row, members] of rows) {
    panels.push({ id: id++, type: 'row', title: row, collapsed: false, gridPos: { x: 0, y: y++, w: 24, h: 1 }, panels: [] });
    let x = 0;
    let tallest = 0;
    for (const member of members) {
      if (x + member.width > 24) {
        [x, y, tallest] = [0, y + tallest, 0];
      }
      panels.push(drawn(member, id++, x, y));
      x += member.width;
      tallest = Math.max(tallest, member.height);
    }
    y += tallest;
  }
  return {
    uid: `tradewind-${name}`, title, tags: ['tradewind'], schemaVersion: 39, version: 1, editable: true, refresh: '30s',
    time: { from: 'now-3h', to: 'now' }, timezone: 'utc',
    links: [{ title: 'Tradewind', type: 'dashboards', tags: ['tradewind'], asDropdown: true, includeVars: true, keepTime: true }],
    templating: {
      list: [
        { name: 'datasource', label: 'source', type: 'datasource', query: 'prometheus', current: {} },
        variable('namespace', 'label_values(mesh_admission_limit, namespace)'),
        ...variables.map(({ name: of, query }) => variable(of, query)),
      ],
    },
    annotations: { list: [] },
    panels,
  };
}

const wanted = new Map(Object.entries(DASHBOARDS).map(([name, what]) =>
  [`${name}.json`, `${JSON.stringify(dashboard(name, what), null, 1)}\n`]));
if (process.argv[2] === 'write') {
  fs.mkdirSync(FOLDER, { recursive: true });
  for (const [file, text] of wanted) fs.writeFileSync(path.join(FOLDER, file), text);
} else {
  const there = new Set(fs.readdirSync(FOLDER));
  const stale = [...wanted].filter(([file, text]) => !there.delete(file) || fs.readFileSync(path.join(FOLDER, file), 'utf8') !== text);
  const wrong = [...stale.map(([file]) => file), ...there];
  if (wrong.length > 0) {
    console.error(`${wrong.join(', ')}: not what scripts/observability/dashboards.js says; run it with \`write\``);
    process.exit(1);
  }
}
