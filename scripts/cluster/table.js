// Prints what the customers saw during each step, as a table; ends with 1 when an order failed or was lost.
// Usage: node table.js STEPS NOTES…    STEPS: lines of `from<TAB>to<TAB>step<TAB>what it was`, in milliseconds
const fs = require("node:fs");

const read = (file) => fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
const [steps, ...notes] = process.argv.slice(2);
const lines = notes.flatMap(read).map((line) => JSON.parse(line));
const orders = lines.filter((line) => line.begun);
const lost = lines.filter((line) => line.lost);

const percentile = (times, share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
const milliseconds = (time) => (time === undefined ? "–" : `${time} ms`);

function row(name, what, some) {
  const times = some.map(({ begun, ended }) => ended - begun).sort((one, other) => one - other);
  const again = some.filter(({ met, failed }) => met.length > 0 && !failed).length;
  const failed = some.filter((order) => order.failed).length;
  const worst = milliseconds(times.at(-1));
  return `| ${name} | ${what} | ${some.length} | ${again} | ${failed} | ${milliseconds(percentile(times, 0.5))} | ${milliseconds(percentile(times, 0.99))} | ${worst} |`;
}

console.log("| step | took | orders | tried again | failed | p50 | p99 | longest |");
console.log("|---|---|---|---|---|---|---|---|");
for (const line of read(steps)) {
  const [from, to, name, what] = line.split("\t");
  const during = orders.filter(({ begun }) => begun >= Number(from) && begun < Number(to));
  const took = `${((to - from) / 1000).toFixed(1)} s`;
  console.log(row(what ? `${name}: ${what}` : name, took, during));
}
console.log(row("all", "", orders));

const met = {};
for (const failure of orders.flatMap((order) => order.met)) met[failure] = (met[failure] ?? 0) + 1;
const counted = Object.entries(met).map(([failure, count]) => `${failure} ${count}`);
console.log(`\nWhat a try met with before it was answered: ${counted.join(", ") || "nothing"}.`);
const failed = orders.filter((order) => order.failed);
for (const { begun, failed: why, met } of failed.slice(0, 10)) {
  console.log(`failed: an order of ${new Date(begun).toISOString()}, after ${met.length} tries: ${why}`);
}
for (const { lost: id, failed: why } of lost.slice(0, 10)) console.log(`lost: ${id}: ${why}`);
console.log(`${orders.length} orders, ${failed.length} failed, ${lost.length} lost.`);
process.exit(orders.length > 0 && failed.length + lost.length === 0 ? 0 : 1);
