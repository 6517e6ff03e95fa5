// Writes the bill of materials of the binary, CycloneDX 1.6 as JSON: every crate that is built into it, its licence, the SHA-256
// that Cargo.lock pins, and what depends on what. The same sources give the same bytes.
// Usage: cargo metadata --format-version 1 --locked --filter-platform TARGET | node scripts/sbom.js > tradewind.cdx.json
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const metadata = JSON.parse(fs.readFileSync(0, 'utf8'));
const lock = fs.readFileSync(path.join(metadata.workspace_root, 'Cargo.lock'), 'utf8');
const checksums = new Map([...lock.matchAll(/name = "(.+)"\nversion = "(.+)"\n(?:source = .+\n)?checksum = "(.+)"/g)]
  .map(([, name, version, sum]) => [`${name} ${version}`, sum]));
const packages = new Map(metadata.packages.map((one) => [one.id, one]));
const nodes = new Map(metadata.resolve.nodes.map((one) => [one.id, one]));

/** What is built into a crate: not what only its tests or its build need. */
const needs = (id) => nodes.get(id).deps
  .filter(({ dep_kinds: kinds }) => kinds.some(({ kind }) => kind === null)).map(({ pkg }) => pkg);

const root = metadata.packages.find(({ targets }) => targets.some(({ kind, name }) => kind.includes('bin') && name === 'tradewind'));
const reached = new Set();
for (const waiting = [root.id]; waiting.length > 0;) {
  const id = waiting.pop();
  if (!reached.has(id)) {
    reached.add(id);
    waiting.push(...needs(id));
  }
}

const purl = ({ name, version }) => `pkg:cargo/${name}@${version}`;
const ordered = [...reached].map((id) => packages.get(id)).sort((a, b) => (purl(a) < purl(b) ? -1 : 1));

function component(of) {
  const sum = checksums.get(`${of.name} ${of.version}`);
  return {
    type: of.id === root.id ? 'application' : 'library',
    'bom-ref': purl(of), name: of.id === root.id ? 'tradewind' : of.name, version: of.version,
    ...(of.description ? { description: of.description.trim().replace(/\s+/g, ' ') } : {}),
    ...(of.license ? { licenses: [{ expression: of.license.replace(/\s*\/\s*/g, ' OR ') }] } : {}),
    ...(sum ? { hashes: [{ alg: 'SHA-256', content: sum }] } : {}),
    purl: purl(of),
    ...(of.repository ? { externalReferences: [{ type: 'vcs', url: of.repository }] } : {}),
  };
}

const bom = {
  bomFormat: 'CycloneDX', specVersion: '1.6', version: 1,
  metadata: { component: component(root) },
  components: ordered.filter(({ id }) => id !== root.id).map(component),
  dependencies: ordered.map((of) => ({ ref: purl(of), dependsOn: [...new Set(needs(of.id).map((id) => purl(packages.get(id))))].sort() })),
};
// A number of its own, by what is in it.
const digest = crypto.createHash('sha256').update(JSON.stringify(bom)).digest('hex');
bom.serialNumber = `urn:uuid:${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
if (process.env.SOURCE_DATE_EPOCH) bom.metadata.timestamp = new Date(1000 * process.env.SOURCE_DATE_EPOCH).toISOString();
process.stdout.write(`${JSON.stringify(bom, null, 1)}\n`);

const unknown = ordered.filter(({ license }) => !license);
if (unknown.length > 0) {
  console.error(`sbom: without a licence: ${unknown.map(purl).join(', ')}`);
  process.exit(1);
}
