// Writes what the dashboards ask as recording rules, so that promtool reads every expression; Grafana's variables are given values.
// Usage: node scripts/observability/queries.js > rules.yaml
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, '../../helm/tradewind/files/dashboards');
const rules = fs.readdirSync(folder).flatMap((file) => {
  const board = JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8'));
  return board.panels.flatMap(({ id, targets = [] }) => targets.map(({ refId, expr }) => ({
    record: `${path.basename(file, '.json').replaceAll('-', '_')}:${id}:${refId}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replace(/\$(namespace|method)/g, '.*'),
  })));
});
// JSON is YAML.
process.stdout.write(JSON.stringify({ groups: [{ name: 'dashboards', rules }] }));
