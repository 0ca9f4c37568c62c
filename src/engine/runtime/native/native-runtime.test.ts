/** What only the native runtime has: its library, and profiles. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { compileGraph, float32, testRuntime, toTensor } from "../../../../test/engine/compute-graph.js";
import { compiledSources } from "../../../../test/compiled-sources.js";
import { startTypeScript } from "../../../../test/process.js";
import { symbol } from "../../graph/dimension.js";
import { Graph } from "../../graph/graph.js";
import { input, withScope } from "../../graph/value.js";
import { exp, mul } from "../../ops/index.js";

const folder = mkdtempSync(join(tmpdir(), "lectern-runtime-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["does not exist", join(folder, "nowhere.so")],
  ["is no library", join(folder, "text.so")],
])("a library that %s is an error that names the platform and what to do", async (_, library) => {
  writeFileSync(join(folder, "text.so"), "not a library");
  const script = join(folder, "open.mts");
  const source = new URL("native-runtime.ts", import.meta.url).href;
  writeFileSync(
    script,
    `import { nativeRuntime } from ${JSON.stringify(source)};\ntry { nativeRuntime(); } catch (error) { console.log(error.code + "\\n" + error.message); }`,
  );
  const { stdout } = await startTypeScript(script, [], { cwd: folder, env: { LECTERN_ONNXRUNTIME: library } }).ended;
  expect(stdout).toContain("NATIVE_LIBRARY_MISSING\n");
  expect(stdout).toContain(`ONNX Runtime's library for ${process.platform}-${process.arch}`);
  expect(stdout).toContain(library);
  expect(stdout).toContain("npm ci");
});

test.runIf(process.platform === "linux").each(["main", "worker"])(
  "100,000 characters of arguments, as a shell's glob makes them, are no matter in a %s thread",
  (thread) => {
    const script = join(folder, "long.mjs");
    const source = pathToFileURL(join(compiledSources(), "src/engine/runtime/native/native-runtime.js"));
    writeFileSync(
      script,
      `import { isMainThread, Worker } from "node:worker_threads";
      import { nativeRuntime } from ${JSON.stringify(source)};
      if (isMainThread && process.argv[2] === "worker") new Worker(new URL(import.meta.url));
      else console.log(nativeRuntime({ threads: 1 }).threads);`,
    );
    const files = Array.from({ length: 1000 }, (_, index) => `folder/of/files/${index}`.padEnd(100, "x"));
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [script, thread, ...files], { encoding: "utf8" });
    expect({ status, signal, stderr, stdout }).toEqual({ status: 0, signal: null, stderr: "", stdout: "1\n" });
  },
);

test("profiles show the operators with the layers they come from", async () => {
  const x = input("x", "float32", [symbol("n")]);
  const graph = new Graph([x], [{ name: "y", value: withScope("encoder", () => withScope("output", () => exp(x))) }]);
  const program = await testRuntime().compile(graph, { profilePrefix: join(folder, "profile") });
  await program.run([toTensor(float32([2], [0, 1]))], [toTensor(float32([2], [0, 0]))]);
  const events = JSON.parse(readFileSync(program.finishProfile()!, "utf8")) as { name: string; args?: { op_name?: string } }[];
  expect(events.find((event) => event.args?.op_name === "Exp")?.name).toMatch(/^encoder\.output\/Exp/);
});

test.each([1, 1_000_000])("subnormal numbers are zero on every thread: %d elements", async (size) => {
  const x = input("x", "float32", [size]);
  const run = await compileGraph(new Graph([x], [{ name: "y", value: mul(x, 1e-3) }]));
  const given = float32([size], new Float32Array(size).fill(1e-37));
  for (let repeat = 0; repeat < 3; repeat++) expect((await run([given]))[0].data.every((value) => value === 0)).toBe(true);
});

test("subnormal numbers are zero on the thread of a queue", async () => {
  const x = input("x", "float32", [4]);
  const program = await testRuntime().compile(new Graph([x], [{ name: "y", value: mul(x, 1e-3) }]), { singleThreaded: true });
  const [given, made] = [toTensor(float32([4], [1e-37, 1, 1e-37, 1])), toTensor(float32([4], [0, 0, 0, 0]))];
  const queue = await testRuntime().queue(0);
  const [found] = await queue.submit([
    { do: "run", program, inputs: [given], outputs: [made] },
    { do: "read", tensor: made },
  ]);
  expect(found).toEqual(Float32Array.of(0, 1e-3, 0, 1e-3));
});

test("a queue with nothing to do keeps no process alive; one that computes does", async () => {
  const script = join(folder, "queue.mts");
  const sources = new URL("../..", import.meta.url).href;
  writeFileSync(
    script,
    `import { nativeRuntime } from "${sources}runtime/native/native-runtime.js";
import { allocateTensor } from "${sources}runtime/runtime.js";
const queue = await nativeRuntime({ threads: 2 }).queue(0);
const tensor = allocateTensor(nativeRuntime(), "float32", [1 << 24]);
void queue.submit([...Array(20).fill({ do: "fill", tensor, value: 3 }), { do: "read", tensor }]).then(([{ length }]) => console.log("found " + length));`,
  );
  expect(await startTypeScript(script, [], { cwd: folder }).ended).toMatchObject({ code: 0, stdout: "found 16777216\n" });
});

test("a graph that the library refuses is our bug, and says which one", async () => {
  const x = input("x", "uint8", [2]);
  await expect(testRuntime().compile(new Graph([x], [{ name: "y", value: exp(x) }]), { name: "head" })).rejects.toThrow(
    /^internal: head does not compile: /,
  );
});
