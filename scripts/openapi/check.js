// Checks an OpenAPI document, given as a file: by the schema of OpenAPI itself, by JSON Schema for what it
// says of messages, and by the rules that no schema can say.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const problems = [
  ...(await ofOpenApi(document)),
  ...ofSchemas(document),
  ...ofOperations(document),
];
for (const problem of problems) console.error(`openapi: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;

async function ofOpenApi(document) {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  if (valid) return [];
  if (typeof errors === "string") return [errors];
  return errors.map(({ instancePath, message }) => `${instancePath} ${message}`);
}

// Every schema is compiled, so that a keyword that cannot hold is found, and a pattern that is none.
function ofSchemas(document) {
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: true });
  addFormats.default(ajv);
  for (const format of ["uint64", "hostname", "ip"]) ajv.addFormat(format, true);
  ajv.addVocabulary(["components", "openapi", "info", "servers", "tags", "paths", "x-not-in"]);
  ajv.addSchema({ $id: "document.json", components: document.components });
  const problems = [];
  const compile = (place) => {
    try {
      ajv.compile({ $ref: `document.json#${place}` });
    } catch (error) {
      problems.push(`${place}: ${error.message}`);
    }
  };
  for (const name of Object.keys(document.components.schemas)) compile(`/components/schemas/${name}`);
  return problems;
}

function* operations(document) {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) yield { path, method, operation };
  }
}

function ofOperations(document) {
  const problems = [];
  const ids = new Map();
  const tags = new Set(document.tags.map((tag) => tag.name));
  for (const { path, method, operation } of operations(document)) {
    const place = `${method.toUpperCase()} ${path}`;
    const twin = ids.get(operation.operationId);
    if (twin) problems.push(`${place}: its operationId is that of ${twin}`);
    ids.set(operation.operationId, place);
    if (!operation.summary) problems.push(`${place}: it has no summary: comment its RPC`);
    for (const tag of operation.tags) {
      if (!tags.has(tag)) problems.push(`${place}: its tag ${tag} is not described`);
    }
    const named = [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]).sort();
    const inPath = operation.parameters.filter((it) => it.in === "path").map((it) => it.name).sort();
    if (named.join() !== inPath.join()) problems.push(`${place}: its path parameters are [${inPath}]`);
    const keys = operation.parameters.map((it) => `${it.in} ${it.name}`);
    if (new Set(keys).size !== keys.length) problems.push(`${place}: a parameter is given twice`);
  }
  const shapes = new Map();
  for (const path of Object.keys(document.paths)) {
    const shape = path.replace(/\{[^}]*\}/g, "{}");
    if (shapes.has(shape)) problems.push(`${path}: it differs from ${shapes.get(shape)} by names alone`);
    shapes.set(shape, path);
  }
  return problems;
}
