// Prints a trace as Jaeger's API answers it, each span below its parent: when it began and how long it took in
// milliseconds, where it ran, what it was.
const { data: [{ spans, processes }] } = JSON.parse(require("fs").readFileSync(0, "utf8"));

const first = Math.min(...spans.map((span) => span.startTime));
const parentOf = (span) => span.references.find(({ refType }) => refType === "CHILD_OF")?.spanID;
const known = new Set(spans.map((span) => span.spanID));

const milliseconds = (micros) => (micros / 1000).toFixed(1).padStart(8);

function print(span, depth) {
  const failed = span.tags.some(({ key, value }) => key === "error" && value === true);
  const service = processes[span.processID].serviceName;
  const times = `${milliseconds(span.startTime - first)} ${milliseconds(span.duration)}`;
  console.log(`${times}  ${"  ".repeat(depth)}${service} ${span.operationName}${failed ? " !" : ""}`);
  const below = spans.filter((child) => parentOf(child) === span.spanID);
  below.sort((one, other) => one.startTime - other.startTime).forEach((child) => print(child, depth + 1));
}

console.log("   begun     took");
spans.filter((span) => !known.has(parentOf(span))).forEach((span) => print(span, 0));
