// Lays the migrations of this tree over those of a release, so that its program makes today's tables and works on
// them: what is new goes to the end of the last file that the release knows of the same folder, with the row that a
// database keeps of it. Fails where a migration that landed has gone or changed since; without a folder that is all.
// Usage: node scripts/schema/lay.js COMMIT [FOLDER [PLANTED]]
"use strict";

const { createHash } = require("node:crypto");
const { execFileSync } = require("node:child_process");
const { readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");

const MIGRATION = /Migration::(?:new|contracting)\(\s*("[^"]+"|[A-Z]+),\s*include_str!\("([^"]+\.sql)"\)(?:,\s*("[^"]+"))?/g;

const git = (...line) => execFileSync("git", line, { encoding: "utf8", maxBuffer: 1 << 26 });

// A tree, and how its files are read: this one, or that of a commit.
const HERE = { names: () => git("ls-files"), read: (file) => readFileSync(file, "utf8") };
const of = (commit) => ({
  names: () => git("ls-tree", "-r", "--name-only", commit),
  read: (file) => git("show", `${commit}:${file}`),
});

// The migrations of a tree by their folder, each list in the order of its code.
function migrations({ names, read }) {
  const folders = new Map();
  const all = names().split("\n").filter((it) => !it.includes("/tests/"));
  for (const file of all.filter((it) => /(lib|migrate)\.rs$/.test(it))) {
    const text = read(file);
    const code = text.split("#[cfg(test)]")[0].replace(/^\s*\/\/.*$/gm, "");
    for (const [, name, from, needs] of code.matchAll(MIGRATION)) {
      const sql = path.join(path.dirname(file), from);
      const list = folders.get(path.dirname(sql)) ?? [];
      list.push({ name: word(text, name), file: sql, sql: read(sql), needs: needs ? word(text, needs) : "" });
      folders.set(path.dirname(sql), list);
    }
  }
  const listed = [...folders.values()].flat().map(({ file }) => file);
  const missed = all.filter((it) => /\/migrations\/[^/]*\.sql$/.test(it) && !listed.includes(it));
  if (missed.length) throw new Error(`no list of migrations that this script finds has ${missed.join(", ")}`);
  return folders;
}

// What is written, or the constant that is named.
function word(text, written) {
  const value = written.startsWith('"') ? written : text.match(new RegExp(`const ${written}: &str = ("[^"]+");`))?.[1];
  if (!value) throw new Error(`no text of the constant ${written}`);
  return value.slice(1, -1);
}

// The row that a database keeps of a migration. It is made before there is a clock; nothing asks for its time.
function row({ name, sql, needs }) {
  const checksum = createHash("sha256").update(sql).digest("base64");
  const [column, value] = needs ? [", needs", `, '${needs}'`] : ["", ""];
  return `INSERT INTO store_migrations (name, checksum, create_time${column}) VALUES ('${name}', '${checksum}', 0${value});`;
}

// What has happened to migrations of a folder that landed.
function problems(folder, landed, today) {
  return landed.flatMap(({ name, file, sql }) => {
    const now = today.find((it) => it.name === name);
    if (!now) return [`${folder}: the migration ${name} has landed, and is not there any more`];
    return now.sql === sql ? [] : [`${file} has landed, and has changed since: make another migration of it`];
  });
}

function main(commit, older, planted = {}) {
  const [theirs, ours] = [migrations(of(commit)), migrations(HERE)];
  const wrong = [...theirs].flatMap(([folder, landed]) => problems(folder, landed, ours.get(folder) ?? []));
  if (wrong.length) throw new Error(wrong.join("\n"));
  if (theirs.size === 0) throw new Error(`${commit} has no migrations that this script finds`);
  for (const [folder, landed] of theirs) {
    const newer = ours.get(folder).filter(({ name }) => !landed.some((it) => it.name === name));
    for (const { name } of newer) console.log(`${folder}: ${name} is newer than ${commit.slice(0, 12)}`);
    if (!older) continue;
    const parts = newer.map((it) => `\n-- ${it.file}\n${it.sql.trimEnd()}\n${row(it)}\n`);
    if (planted[folder]) parts.push(`\n${planted[folder]};\n`);
    const { file, sql } = landed.at(-1);
    const [last, laid] = [path.join(older, file), sql.trimEnd() + "\n" + parts.join("")];
    // What is as it was is not built again.
    if (readFileSync(last, "utf8") !== laid) writeFileSync(last, laid);
  }
}

const [commit, older, planted] = process.argv.slice(2);
try {
  main(commit, older, planted && JSON.parse(readFileSync(planted, "utf8")));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
