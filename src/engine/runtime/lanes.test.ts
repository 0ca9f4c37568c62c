/** One program on all threads, and the same on a thread for each run. */
import { expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input } from "../graph/value.js";
import { mul } from "../ops/index.js";
import { type Lane, openLanes } from "./lanes.js";
import { allocateTensor, mostQueues, type Program, type Runtime } from "./runtime.js";

const x = input("x", "float32", [symbol("n")]);
const doubling = new Graph([x], [{ name: "y", value: mul(x, 2) }]);

/** Lanes of a program that doubles, with what was compiled and released of it. */
async function open(runtime: Runtime = testRuntime()) {
  const told: string[] = [];
  const lanes = await openLanes(runtime, async (singleThreaded): Promise<Program> => {
    const name = singleThreaded ? "single" : "whole";
    told.push(`compiled ${name}`);
    const program = await runtime.compile(doubling, { name, singleThreaded });
    const release = program.release.bind(program);
    return Object.assign(program, { release: () => (told.push(`released ${name}`), release()) });
  });
  return { lanes, told };
}

const double =
  (value: number) =>
  async ({ program, queue }: Lane): Promise<number> => {
    const tensor = allocateTensor(testRuntime(), "float32", [1]);
    const [found] = await queue.submit([
      { do: "write", tensor, data: Float32Array.of(value) },
      { do: "run", program, inputs: [tensor], outputs: [tensor] },
      { do: "read", tensor },
    ]);
    return found[0];
  };

test("many runs are spread over the threads, which the program for one run needs none of", async () => {
  const { lanes, told } = await open();
  expect(await lanes.one(double(3))).toBe(6);
  expect(told).toEqual(["compiled whole"]);
  const { atOnce, run } = await lanes.many();
  expect(atOnce).toBe(2 * testRuntime().threads);
  const used = new Set<Lane>();
  const values = Array.from({ length: 4 * atOnce }, (_, index) => index);
  const doubled = await Promise.all(values.map((value) => run((lane) => (used.add(lane), double(value)(lane)))));
  expect(doubled).toEqual(values.map((value) => 2 * value));
  expect(used.size).toBe(testRuntime().threads);
  await lanes.many();
  expect(told).toEqual(["compiled whole", "compiled single"]); // once
  lanes.release();
});

test.each([1, mostQueues + 1])("with %i threads each run has all of them", async (threads) => {
  const { lanes, told } = await open({ ...testRuntime(), threads });
  const { atOnce, run } = await lanes.many();
  expect(atOnce).toBe(1);
  expect(await run(double(4))).toBe(8);
  lanes.release();
  expect(told).toEqual(["compiled whole", "released whole"]);
});

test("programs are released when the runs asked for before have ended, and no run begins afterwards", async () => {
  const { lanes, told } = await open();
  const { run } = await lanes.many();
  const before = Promise.allSettled([lanes.one(double(1)), run(double(2)), run(double(3)), run(() => Promise.reject(new Error("of its own")))]);
  lanes.release();
  lanes.release();
  expect(told).toEqual(["compiled whole", "compiled single"]);
  await expect(lanes.one(double(4))).rejects.toThrow(/after release/);
  await expect(run(double(4))).rejects.toThrow(/after release/);
  expect((await before).map((end) => (end.status === "fulfilled" ? end.value : (end.reason as Error).message))).toEqual([2, 4, 6, "of its own"]);
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(told.slice(2)).toEqual(["released whole", "released single"]);
});

test("a second program that does not compile is told to whoever wants many runs; single ones go on", async () => {
  const lanes = await openLanes(testRuntime(), (singleThreaded) =>
    singleThreaded ? Promise.reject(new Error("no room")) : testRuntime().compile(doubling),
  );
  await expect(lanes.many()).rejects.toThrow("no room");
  expect(await lanes.one(double(5))).toBe(10);
  lanes.release();
});
