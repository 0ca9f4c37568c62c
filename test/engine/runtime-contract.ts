/** What every runtime must do, whatever computes: each implementation's test calls `describeRuntime`. */
import { describe, expect, test } from "vitest";
import { symbol } from "../../src/engine/graph/dimension.js";
import { Graph } from "../../src/engine/graph/graph.js";
import { input, type Value } from "../../src/engine/graph/value.js";
import { add, cast, equal, matmul, mul, scatterAdd, softmax, sub, sum, tanh } from "../../src/engine/ops/index.js";
import { allocateTensor, type Command, type Runtime, type Tensor } from "../../src/engine/runtime/runtime.js";
import { sharedQueue } from "../../src/engine/runtime/shared-queue.js";

const n = symbol("n");
const vector = (name: string) => input(name, "float32", [n]);
const graphOf = (inputs: Value[], outputs: Record<string, Value>) =>
  new Graph(
    inputs,
    Object.entries(outputs).map(([name, value]) => ({ name, value })),
  );

/** Many products one after the other: long enough to look at what happens meanwhile, and to be interrupted between two of them. */
function longGraph(products: number, size: number): Graph {
  const x = input("x", "float32", [size, size]);
  let y = x;
  for (let index = 0; index < products; index++) y = mul(matmul(y, x), 1 / size);
  return graphOf([x], { y });
}

export function describeRuntime(name: string, make: () => Runtime): void {
  describe(name, () => {
    const runtime = make();
    const tensor = (shape: number[], data: ArrayLike<number>): Tensor => {
      const made = allocateTensor(runtime, "float32", shape);
      (made.data as Float32Array).set(data);
      return made;
    };
    const numbers = (made: Tensor) => [...(made.data as Float32Array)];

    test("computes one program for every size of a symbolic dimension", async () => {
      const [x, w] = [input("x", "float32", [n, 2]), input("w", "float32", [2, 3])];
      const program = await runtime.compile(graphOf([x, w], { y: matmul(x, w), total: sum(x) }));
      expect([program.inputs, program.outputs]).toEqual([
        ["x", "w"],
        ["y", "total"],
      ]);
      for (const rows of [1, 4, 2, 0]) {
        const given = tensor(
          [rows, 2],
          Array.from({ length: rows * 2 }, (_, at) => at),
        );
        const [y, total] = [tensor([rows, 3], []), tensor([], [])];
        await program.run([given, tensor([2, 3], [1, 0, 2, 0, 1, 1])], [y, total]);
        expect(numbers(y)).toEqual(Array.from({ length: rows }, (_, row) => [2 * row, 2 * row + 1, 6 * row + 1]).flat());
        expect(numbers(total)).toEqual([Array.from({ length: 2 * rows }, (_, at) => at).reduce((a, b) => a + b, 0)]);
      }
    });

    test("writes outputs over inputs in place, and tensors share the memory they lie in", async () => {
      const [p, g, rate] = [vector("p"), vector("g"), input("rate", "float32", [])];
      const program = await runtime.compile(graphOf([p, g, rate], { p2: sub(p, mul(g, rate)) }));
      const memory = runtime.allocate(32);
      const whole = runtime.tensor(memory, 0, "float32", [8]);
      (whole.data as Float32Array).set([1, 2, 3, 4, 5, 6, 7, 8]);
      const middle = runtime.tensor(memory, 8, "float32", [4]);
      for (let step = 0; step < 3; step++) await program.run([middle, tensor([4], [1, 1, 2, 2]), tensor([], [0.5])], [middle]);
      expect(numbers(whole)).toEqual([1, 2, 1.5, 2.5, 2, 3, 7, 8]);
    });

    test("adds rows into an accumulator in place, repeated indices too", async () => {
      const [base, rows, updates] = [input("base", "float32", [5, 2]), input("rows", "int64", [n]), input("updates", "float32", [n, 2])];
      const program = await runtime.compile(graphOf([base, rows, updates], { sums: scatterAdd(base, rows, updates) }));
      const sums = tensor([5, 2], []);
      const indices = allocateTensor(runtime, "int64", [4]);
      (indices.data as BigInt64Array).set([0n, 3n, 0n, 0n]);
      for (let run = 0; run < 2; run++) await program.run([sums, indices, tensor([4, 2], [1, 2, 3, 4, 5, 6, 7, 8])], [sums]);
      expect(numbers(sums)).toEqual([26, 32, 0, 0, 0, 0, 6, 8, 0, 0]);
    });

    test("takes and gives every type there is", async () => {
      const x = input("x", "int64", [n]);
      const program = await runtime.compile(
        graphOf([x], {
          same: equal(x, 3),
          small: cast(x, "int32"),
          tiny: cast(x, "int8"),
          byte: cast(x, "uint8"),
          half: cast(cast(x, "float32"), "float16"),
        }),
      );
      const given = allocateTensor(runtime, "int64", [3]);
      (given.data as BigInt64Array).set([3n, -2n, 3n]);
      const outputs = (["bool", "int32", "int8", "uint8", "float16"] as const).map((dtype) => allocateTensor(runtime, dtype, [3]));
      await program.run([given], outputs);
      expect(outputs.map(({ data }) => Array.from(data as Uint8Array))).toEqual([
        [1, 0, 1],
        [3, -2, 3],
        [3, -2, 3],
        [3, 254, 3],
        [0x4200, 0xc000, 0x4200],
      ]);
    });

    test("runs several programs at once", async () => {
      const x = vector("x");
      const programs = await Promise.all([1, 2, 3, 4].map((factor) => runtime.compile(graphOf([x], { y: tanh(mul(x, factor)) }))));
      const given = tensor(
        [1000],
        Array.from({ length: 1000 }, (_, at) => at / 1000),
      );
      const outputs = Array.from({ length: 32 }, () => tensor([1000], []));
      await Promise.all(outputs.map((output, at) => programs[at % 4].run([given], [output])));
      outputs.forEach((output, at) => expect(numbers(output)[500]).toBeCloseTo(Math.tanh(0.5 * ((at % 4) + 1)), 6));
    });

    test("the event loop goes on during a run", async () => {
      const program = await runtime.compile(longGraph(60, 512));
      const [x, y] = [tensor([512, 512], new Float32Array(512 * 512).fill(1)), tensor([512, 512], [])];
      let ticks = 0;
      const timer = setInterval(() => ticks++, 2);
      const start = performance.now();
      await program.run([x], [y]);
      const spent = performance.now() - start;
      clearInterval(timer);
      expect(spent).toBeGreaterThan(20); // else this test measures nothing
      expect(ticks).toBeGreaterThan(spent / 40);
      expect(numbers(y)[0]).toBe(1);
    });

    test("an aborted run rejects with the signal's reason, soon, and the program can be run again", async () => {
      const program = await runtime.compile(longGraph(400, 512));
      const [x, y] = [tensor([512, 512], new Float32Array(512 * 512).fill(1)), tensor([512, 512], [])];
      const controller = new AbortController();
      const reason = new Error("stopped by hand");
      const running = program.run([x], [y], { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 30);
      const start = performance.now();
      await expect(running).rejects.toBe(reason);
      const untilStopped = performance.now() - start;
      await expect(program.run([x], [y], { signal: controller.signal })).rejects.toBe(reason); // already aborted
      const whole = performance.now();
      await program.run([x], [y], { signal: new AbortController().signal });
      expect(untilStopped).toBeLessThan((performance.now() - whole) / 2 + 100);
      expect(numbers(y)[0]).toBe(1);
    });

    test("a tensor of another shape or the wrong number of tensors is refused with the program's name", async () => {
      const x = input("x", "float32", [n, 3]);
      const program = await runtime.compile(graphOf([x], { y: softmax(x) }), { name: "head forward" });
      await expect(program.run([tensor([2, 4], [])], [tensor([2, 4], [])])).rejects.toThrow(/head forward: .*x.*4.*3/s);
      await expect(program.run([tensor([2, 3], [])], [tensor([3, 3], [])])).rejects.toThrow(/head forward: .*\{3,3\}.*\{2,3\}/s);
      await expect(program.run([], [tensor([2, 3], [])])).rejects.toThrow("head forward takes 1 inputs and 1 outputs, got 0 and 1");
    });

    describe.each([
      ["the queue of a thread", () => runtime.queue(0)],
      ["the queue of the event loop", () => Promise.resolve(sharedQueue())],
    ])("%s", (_, open) => {
      const doubling = async (name = "double") => {
        const x = vector("x");
        return runtime.compile(graphOf([x], { y: mul(x, 2) }), { name, singleThreaded: true });
      };
      const run = (program: Awaited<ReturnType<typeof doubling>>, from: Tensor, to = from): Command => ({ do: "run", program, inputs: [from], outputs: [to] });
      const read = (made: Tensor): Command => ({ do: "read", tensor: made });

      test("does commands in their order, and list after list", async () => {
        const [queue, program] = [await open(), await doubling()];
        const x = tensor([3], [1, 2, 3]);
        const first = queue.submit([run(program, x), read(x), run(program, x), read(x), { do: "write", tensor: x, data: Float32Array.of(5, 6, 7) }]);
        const second = queue.submit([run(program, x), read(x), { do: "fill", tensor: x, value: 4 }, run(program, x)]);
        expect(await first).toEqual([Float32Array.of(2, 4, 6), Float32Array.of(4, 8, 12)]);
        expect(await second).toEqual([Float32Array.of(10, 12, 14)]);
        expect(numbers(x)).toEqual([8, 8, 8]);
        expect(await queue.submit([])).toEqual([]);
      });

      test("writes other types, and into the middle of a memory", async () => {
        const queue = await open();
        const memory = runtime.allocate(48);
        const whole = runtime.tensor(memory, 0, "int64", [6]);
        await queue.submit([{ do: "write", tensor: runtime.tensor(memory, 16, "int64", [2]), data: BigInt64Array.of(-1n, 9n) }]);
        expect([...(whole.data as BigInt64Array)]).toEqual([0n, 0n, -1n, 9n, 0n, 0n]);
      });

      test("copies rows within a memory", async () => {
        const queue = await open();
        const within = tensor([12], [0, 1, 2, 3, 4, 5]);
        await queue.submit([{ do: "copyRows", tensor: within, to: 6, width: 2, starts: Uint32Array.of(3, 0, 3) }]);
        expect(numbers(within)).toEqual([0, 1, 2, 3, 4, 5, 3, 4, 0, 1, 3, 4]);
      });

      test("a command that fails leaves out the rest of its list and nothing else", async () => {
        const [queue, program] = [await open(), await doubling("head forward")];
        const [x, wide] = [tensor([2], [1, 1]), tensor([3], [])];
        const failing = queue.submit([run(program, x), run(program, x, wide), { do: "fill", tensor: x, value: 9 }]);
        const next = queue.submit([run(program, x), read(x)]);
        await expect(failing).rejects.toThrow(/head forward: .*\{3\}.*\{2\}/s);
        expect(await next).toEqual([Float32Array.of(4, 4)]);
      });

      test("a signal ends a list soon, in the middle or before it has begun, and the queue goes on", async () => {
        const queue = await open();
        const program = await runtime.compile(longGraph(300, 512), { singleThreaded: true });
        const [x, y] = [tensor([512, 512], new Float32Array(512 * 512).fill(1)), tensor([512, 512], [])];
        const long: Command = { do: "run", program, inputs: [x], outputs: [y] };
        const controller = new AbortController();
        const reason = new Error("stopped by hand");
        const lists = [queue.submit([long, long], { signal: controller.signal }), queue.submit([long], { signal: controller.signal })];
        setTimeout(() => controller.abort(reason), 30);
        const start = performance.now();
        for (const list of lists) await expect(list).rejects.toBe(reason);
        const untilStopped = performance.now() - start;
        await expect(queue.submit([long], { signal: controller.signal })).rejects.toBe(reason); // already aborted
        const whole = performance.now();
        await queue.submit([long], { signal: new AbortController().signal });
        expect(untilStopped).toBeLessThan((performance.now() - whole) / 2 + 100);
        expect(numbers(y)[0]).toBe(1);
      });

      test("the event loop goes on meanwhile", async () => {
        const queue = await open();
        const program = await runtime.compile(longGraph(60, 512), { singleThreaded: true });
        const [x, y] = [tensor([512, 512], new Float32Array(512 * 512).fill(1)), tensor([512, 512], [])];
        let ticks = 0;
        const timer = setInterval(() => ticks++, 2);
        const start = performance.now();
        await queue.submit([{ do: "run", program, inputs: [x], outputs: [y] }]);
        const spent = performance.now() - start;
        clearInterval(timer);
        expect(spent).toBeGreaterThan(20); // else this test measures nothing
        expect(ticks).toBeGreaterThan(spent / 40);
      });
    });

    test("a number is always the same queue, and queues compute at once", async () => {
      const [first, second] = [await runtime.queue(0), await runtime.queue(1)];
      expect(await runtime.queue(0)).toBe(first);
      expect(second).not.toBe(first);
      const program = await runtime.compile(longGraph(60, 512), { singleThreaded: true });
      const submit = (queue: typeof first): Promise<unknown> => {
        const [x, y] = [tensor([512, 512], new Float32Array(512 * 512).fill(1)), tensor([512, 512], [])];
        return queue.submit([{ do: "run", program, inputs: [x], outputs: [y] }]);
      };
      const isDone = { short: false };
      const long = Promise.all([submit(first), submit(first), submit(first), submit(first)]);
      const short = submit(second).then(() => (isDone.short = true));
      await submit(first).then(() => expect(isDone.short).toBe(true)); // behind four others, where the other queue had one
      await Promise.all([long, short]);
    });

    test("a profile of the runs is written where one is asked for", async () => {
      const x = vector("x");
      expect((await runtime.compile(graphOf([x], { y: add(x, 1) }))).finishProfile()).toBeUndefined();
    });

    test("resident memory stays where it is over 200 runs of changing shapes", async () => {
      const [x, w] = [input("x", "float32", [n, 256]), input("w", "float32", [256, 256])];
      const hidden = tanh(matmul(x, w));
      const program = await runtime.compile(graphOf([x, w], { y: softmax(matmul(hidden, w, { transposeB: true })), total: sum(hidden) }));
      const memory = runtime.allocate(2 * 1024 * 256 * 4);
      const weights = tensor([256, 256], new Float32Array(256 * 256).fill(0.01));
      const total = tensor([], []);
      const residentMegabytes: number[] = [];
      for (let run = 0; run < 260; run++) {
        const rows = run % 5 === 0 ? 1024 : 1 + ((run * 397) % 1024);
        const given = runtime.tensor(memory, 0, "float32", [rows, 256]);
        const result = runtime.tensor(memory, 1024 * 256 * 4, "float32", [rows, 256]);
        await program.run([given, weights], [result, total]);
        given.release();
        result.release();
        if (run >= 60) residentMegabytes.push(process.memoryUsage.rss() / 2 ** 20);
      }
      const last = residentMegabytes.slice(-50);
      const first = residentMegabytes.slice(0, 50);
      expect(Math.min(...last) - Math.min(...first)).toBeLessThan(8); // one run's tensors are 4 MB
    });
  });
}
