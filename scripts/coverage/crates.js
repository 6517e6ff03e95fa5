// Says by crate which share of its lines the tests have run, from what `llvm-cov export -summary-only` writes.
// Usage: node scripts/coverage/crates.js EXPORT MINIMUM
"use strict";

const { readFileSync } = require("node:fs");
const path = require("node:path");

const [from, minimum] = process.argv.slice(2);
const root = process.cwd() + path.sep;

// The crate of a file of this tree; nothing for what was generated, for the code of others, and for tests.
function crate(file) {
  if (!file.startsWith(root)) return null;
  const parts = file.slice(root.length).split(path.sep);
  const at = parts.indexOf("src");
  return at < 0 || parts[0] === "target" || parts[0] === "tests" || parts.includes("testing") ? null : parts.slice(0, at).join("/") || "tradewind";
}

const crates = new Map();
for (const { filename, summary } of JSON.parse(readFileSync(from, "utf8")).data[0].files) {
  const name = crate(filename);
  if (name === null) continue;
  const sums = crates.get(name) ?? { count: 0, covered: 0 };
  sums.count += summary.lines.count;
  sums.covered += summary.lines.covered;
  crates.set(name, sums);
}
const share = ({ count, covered }) => (count === 0 ? 100 : (100 * covered) / count);
const line = (name, sums) => console.log(`${name.padEnd(24)} ${share(sums).toFixed(1).padStart(6)} % of ${sums.count} lines`);
const all = { count: 0, covered: 0 };
for (const [name, sums] of [...crates].sort()) {
  line(name, sums);
  all.count += sums.count;
  all.covered += sums.covered;
}
line("all", all);
if (share(all) < Number(minimum)) {
  console.error(`the tests run ${share(all).toFixed(1)} % of the lines, and ${minimum} % is the least: test what was added`);
  process.exitCode = 1;
}
