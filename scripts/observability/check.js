// Holds rules, their tests, dashboards and runbooks against each other and against the metrics that there are.
// Usage: node scripts/observability/check.js [PAGE]...      with pages of metrics as a running mesh exposes them
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const RULES = 'helm/tradewind/files/alerts.yaml';
const BOARDS = 'helm/tradewind/files/dashboards';
const LIST = 'scripts/observability/metrics.txt';
const TESTS = 'scripts/observability/alerts_test.yaml';
const RUNBOOKS = 'docs/guides/incidents.md';
const wrong = [];

/** What Prometheus makes of a metric. */
const SAMPLES = {
  counter: (name) => [`${name}_total`],
  gauge: (name) => [name],
  histogram: (name) => ['_bucket', '_sum', '_count'].map((end) => name + end),
};
const listed = read(LIST).split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.split(' '));
const known = new Set(listed.flatMap(([type, name]) => SAMPLES[type](name)));

/** The rules, of which only what is looked at here is read: one key a line, and blocks below `expr: |`. */
function rules() {
  const found = [];
  let block = null;
  for (const line of read(RULES).split('\n')) {
    const indent = line.search(/\S/);
    if (block !== null && (indent > block || indent < 0)) {
      found.at(-1).expr += ` ${line.trim()}`;
      continue;
    }
    block = null;
    const [, kind, name] = line.match(/^\s*- (alert|record): (\S+)/) ?? [];
    if (kind) found.push({ kind, name, expr: '' });
    const [, expr] = line.match(/^\s*expr: (.*)/) ?? [];
    if (expr === '|') block = indent;
    else if (expr) found.at(-1).expr = expr;
    const [, severity] = line.match(/severity: (\w+)/) ?? [];
    if (severity && found.length > 0) found.at(-1).severity = severity;
    const [, runbook] = line.match(/runbook_url: (\S+)/) ?? [];
    if (runbook) found.at(-1).runbook = runbook;
  }
  return found;
}

/** The metrics that an expression of PromQL names. */
function named(expr) {
  const bare = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
    .replace(/\boffset\s+\w+/g, '');
  return [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\s*\()\b(?!\s*\()/g)]
    .map(([name]) => name)
    .filter((name) => !['and', 'or', 'unless', 'bool', 'inf', 'nan'].includes(name.toLowerCase()));
}

function names(where, expr, recorded) {
  for (const name of named(expr)) {
    if (!known.has(name) && !recorded.has(name) && name !== 'ALERTS') wrong.push(`${where}: nobody exposes ${name}`);
  }
}

function checkRules(all, recorded) {
  const anchors = new Set(read(RUNBOOKS).split('\n').filter((line) => line.startsWith('#'))
    .map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-')));
  const tests = read(TESTS);
  for (const { kind, name, expr, severity, runbook } of all) {
    names(name, expr, recorded);
    if (kind === 'record') continue;
    if (!['critical', 'warning'].includes(severity)) wrong.push(`${name}: its severity is neither critical nor warning`);
    const anchor = runbook?.split('#')[1];
    if (!runbook?.startsWith(`${RUNBOOKS}#`) || !anchors.has(anchor)) wrong.push(`${name}: ${RUNBOOKS} has no runbook ${anchor}`);
    const tried = [...tests.matchAll(/alertname="(\w+)".*\s+eval_time: .*\s+exp_samples:( \[\])?/g)].filter(([, of]) => of === name);
    if (!tried.some(([, , none]) => none)) wrong.push(`${name}: no test shows it not firing`);
    if (!tried.some(([, , none]) => !none)) wrong.push(`${name}: no test shows it firing`);
  }
}

function checkBoards(recorded) {
  for (const file of fs.readdirSync(path.join(ROOT, BOARDS))) {
    const board = JSON.parse(read(`${BOARDS}/${file}`));
    for (const { title, targets = [] } of board.panels) {
      for (const { expr } of targets) names(`${file}, ${title}`, expr, recorded);
    }
  }
}

/** What a mesh exposes is listed, and what is listed is exposed or at least registered in the source. */
function checkList(pages) {
  const exposed = new Set(pages.flatMap((page) => [...fs.readFileSync(page, 'utf8').matchAll(/^# TYPE (\S+) (\S+)/gm)]
    .map(([, name, type]) => `${type} ${name}`)));
  const own = new Set(listed.filter(([, , whose]) => whose === 'tradewind').map(([type, name]) => `${type} ${name}`));
  for (const line of exposed) if (!own.has(line)) wrong.push(`${LIST}: add \`${line} tradewind\`, which a mesh exposes`);
  const sources = ['mesh/src', 'store/src', 'redis/src', 'node/src', 'services'].flatMap((folder) => sourcesOf(path.join(ROOT, folder)));
  const source = sources.map((file) => fs.readFileSync(file, 'utf8')).join('\n');
  for (const line of own) {
    const name = line.split(' ')[1];
    if (!exposed.has(line) && !source.includes(`"${name}"`)) wrong.push(`${LIST}: nothing registers ${name} any more`);
  }
}

function sourcesOf(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'tests' ? [] : sourcesOf(at);
    return entry.name.endsWith('.rs') ? [at] : [];
  });
}

const all = rules();
const recorded = new Set(all.filter(({ kind }) => kind === 'record').map(({ name }) => name));
checkRules(all, recorded);
checkBoards(recorded);
checkList(process.argv.slice(2));
wrong.forEach((problem) => console.error(problem));
const alerts = all.filter(({ kind }) => kind === 'alert').length;
const boards = fs.readdirSync(path.join(ROOT, BOARDS)).length;
if (wrong.length > 0) process.exit(1);
console.log(`${alerts} alerts, ${recorded.size} recordings and ${boards} dashboards name ${known.size} samples that there are`);
