// Makes JSON schemas that kubeconform reads, of those that others publish.
// Usage: node schemas.js kubernetes FOLDER TO    the schemas of a version of Kubernetes
//        node schemas.js custom FILE TO          CustomResourceDefinitions, one JSON document a line
const fs = require("node:fs");
const path = require("node:path");

// They name each other by an absolute address, and kubeconform resolves files.
function kubernetes(from, to) {
  for (const name of fs.readdirSync(from)) {
    const text = fs.readFileSync(path.join(from, name), "utf8");
    const schema = JSON.parse(text.replaceAll('"/api/_definitions.json#', '"_definitions.json#').replaceAll("$defs", "definitions"));
    delete schema.$id;
    delete schema.$schema;
    fs.writeFileSync(path.join(to, name), JSON.stringify(schema));
  }
}

function custom(from, to) {
  const documents = fs.readFileSync(from, "utf8").split("\n").filter((line) => line.startsWith("{"));
  const definitions = documents.map((line) => JSON.parse(line)).filter((it) => it.kind === "CustomResourceDefinition");
  for (const { spec } of definitions) {
    for (const version of spec.versions) {
      const schema = closed(version.schema.openAPIV3Schema);
      const name = `${spec.names.kind.toLowerCase()}_${version.name}.json`;
      fs.mkdirSync(path.join(to, spec.group), { recursive: true });
      fs.writeFileSync(path.join(to, spec.group, name), JSON.stringify(schema));
    }
  }
  console.log(`  ${definitions.length} custom resources`);
}

// The API server drops a field that it does not know; here it is refused, so that a misspelt one is seen.
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const open = "additionalProperties" in copy || copy["x-kubernetes-preserve-unknown-fields"];
  // `properties` may also be a field's own name: then it is no list of fields.
  if (copy.type === "object" && copy.properties && !open) copy.additionalProperties = false;
  return copy;
}

const [kind, from, to] = process.argv.slice(2);
fs.mkdirSync(to, { recursive: true });
if (kind === "kubernetes") kubernetes(from, to);
else custom(from, to);
