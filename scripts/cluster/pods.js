// Says of the pods of a release how long each took from its start to ready, and what memory it holds; ends with 1 when
// the node has not looked at one of them yet.
// Usage: node pods.js PODS STATS    `kubectl get pods --output json`, and the node's /stats/summary
const fs = require("node:fs");

const [pods, stats] = process.argv.slice(2).map((file) => JSON.parse(fs.readFileSync(file, "utf8")));
const held = new Map(stats.pods.map(({ podRef, memory }) => [podRef.name, memory?.workingSetBytes ?? 0]));
const MEBI = 1024 * 1024;

const rows = pods.items.map(({ metadata, status }) => {
  const ready = status.conditions.find(({ type }) => type === "Ready");
  const began = status.containerStatuses[0].state.running?.startedAt;
  const seconds = (Date.parse(ready.lastTransitionTime) - Date.parse(began)) / 1000;
  return { name: metadata.name, of: metadata.labels["app.kubernetes.io/component"], seconds, bytes: held.get(metadata.name) ?? 0 };
});
const sum = rows.reduce((total, { bytes }) => total + bytes, 0);
const spread = (values) => `${Math.min(...values)} to ${Math.max(...values)}`;
console.log(`${rows.length} pods: ready ${spread(rows.map(({ seconds }) => seconds))} s after the process began, in whole seconds;`);
console.log(`memory ${(sum / MEBI).toFixed(0)} MiB in all, ${spread(rows.map(({ bytes }) => Math.round(bytes / MEBI)))} MiB a pod:`);
for (const of of [...new Set(rows.map((row) => row.of))].sort()) {
  const some = rows.filter((row) => row.of === of);
  console.log(`  ${of.padEnd(14)} ${some.map(({ bytes }) => `${(bytes / MEBI).toFixed(0)} MiB`).join(", ")}`);
}
process.exit(rows.every(({ bytes }) => bytes > 0) ? 0 : 1);
