// Writes src/gen from the mesh's own descriptors: every service that a gateway shows, without the RPCs
// that are for other services, and without the rules that only the mesh itself checks.
//
// Usage: node scripts/generate.js [IMAGE]
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createFileRegistry, fromBinary, getOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const image = process.argv[2] ?? path("../../target/contracts.binpb");
const buf = path("../../scripts/buf/node_modules/.bin/buf");
const INTERNAL = 4;

/** The gateway's services, and the RPCs of theirs that it does not show. */
function surface() {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));
  const policy = registry.getExtension("tradewind.mesh.v1.rpc");
  const shown = [];
  const hidden = [];
  for (const file of registry.files) {
    for (const service of file.services.filter((it) => it.typeName.startsWith("tradewind."))) {
      const internal = service.methods.filter((rpc) => getOption(rpc, policy).access === INTERNAL);
      if (internal.length === service.methods.length) continue;
      shown.push(service.typeName);
      hidden.push(...internal.map((rpc) => `${service.typeName}.${rpc.name}`));
    }
  }
  return { shown, hidden };
}

function generate() {
  const { shown, hidden } = surface();
  // What only the mesh reads: rules it checks itself, routes of REST, tables.
  const ofTheMesh = ["buf.validate.**", "google.api.http", "tradewind.mesh.v1.resource"];
  const template = {
    version: "v2",
    inputs: [
      { binary_image: image, types: shown, exclude_types: [...hidden, ...ofTheMesh] },
      { directory: path("proto") },
    ],
    plugins: [
      {
        local: path("node_modules/.bin/protoc-gen-es"),
        out: path("src/gen"),
        include_imports: true,
        opt: ["target=ts", "import_extension=js"],
      },
    ],
  };
  const command = ["generate", "--template", JSON.stringify(template)];
  const { status, error } = spawnSync(buf, command, { stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Whatever is generated but the policies of RPCs, under one name: two messages of one name would not compile. */
function index() {
  const files = readdirSync(path("src/gen/tradewind"), { recursive: true });
  const modules = files.filter((file) => file.endsWith("_pb.ts") && file !== "mesh/v1/rpc_pb.ts").sort();
  const lines = modules.map((file) => `export * from "./tradewind/${file.replace(/\.ts$/, ".js")}";\n`);
  writeFileSync(path("src/gen/index.ts"), lines.join(""));
}

/** What the generated code depends on, as one value. */
function madeOf() {
  const hash = createHash("sha256");
  const parts = ["scripts/generate.js", "package-lock.json", "proto/google/rpc/error_details.proto"];
  for (const file of [image, ...parts.map(path)]) hash.update(readFileSync(file));
  return hash.digest("hex");
}

const stamp = path("src/gen/.made-of");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== madeOf()) {
  rmSync(path("src/gen"), { recursive: true, force: true });
  generate();
  index();
  writeFileSync(stamp, madeOf());
}
