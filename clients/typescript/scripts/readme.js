// Writes the README's TypeScript, from its first line to its last, as the one module that tests check and run.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const read = (relative) => new URL(`../${relative}`, import.meta.url);
const blocks = readFileSync(read("README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms);
const program = Array.from(blocks, ([, block]) => block).join("\n");
mkdirSync(read("test/gen"), { recursive: true });
writeFileSync(read("test/gen/readme.ts"), program);
