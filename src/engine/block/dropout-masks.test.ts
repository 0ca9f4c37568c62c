/** Masks as pure functions of seed, step, place and sample; their statistics, and how alike different ones are. */
import { describe, expect, test } from "vitest";
import { copyRows } from "../runtime/host-commands.js";
import { bankLength, type DropoutKey, dropoutRows, fillDropoutBank } from "./dropout-masks.js";

const key: DropoutKey = { seed: 42, step: 3, place: 5, samples: [0, 1, 2, 3] };

/** For each seed and rate a bank, with room behind it for the largest mask of these tests. */
const memories = new Map<string, Float32Array>();

function memoryOf(seed: number, rate: number): Float32Array {
  const name = `${seed} ${rate}`;
  let memory = memories.get(name);
  if (memory === undefined) {
    memories.set(name, (memory = new Float32Array(bankLength + (1 << 20))));
    fillDropoutBank(memory, seed, rate);
  }
  return memory;
}

function mask(shape: number[], rate: number, other: Partial<DropoutKey> = {}): Float32Array {
  const full = { ...key, ...other };
  const memory = memoryOf(full.seed, rate);
  const end = bankLength + shape.reduce((product, size) => product * size, 1);
  memory.fill(NaN, bankLength, end);
  copyRows(memory, bankLength, shape[shape.length - 1], dropoutRows(0, shape, full));
  return memory.slice(bankLength, end);
}

/** Of 0/1 vectors: kept or not. */
function correlation(a: Float32Array, b: Float32Array): number {
  const kept = (values: Float32Array) => Array.from(values, (value) => (value > 0 ? 1 : 0));
  const [x, y] = [kept(a), kept(b)];
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const covariance = mean(x.map((value, at) => (value - mx) * (y[at] - my)));
  return covariance / Math.sqrt(mx * (1 - mx) * my * (1 - my));
}

const row = (values: Float32Array, index: number, width: number) => values.slice(index * width, (index + 1) * width);

describe.each([0.1, 0.5, 0.9])("at rate %d", (rate) => {
  const values = mask([4, 12, 100, 128], rate);
  const count = values.length;

  test("elements are 0 or 1/(1 − rate), and as many are 0 as the rate says", () => {
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
    const dropped = values.filter((value) => value === 0).length / count;
    // five standard deviations, and again as much for elements of the bank that are used twice
    expect(Math.abs(dropped - rate)).toBeLessThan(10 * Math.sqrt((rate * (1 - rate)) / count));
  });

  test("each column and each row drops at the rate", () => {
    for (const [width, rows] of [
      [128, count / 128],
      [count / 4, 4],
    ]) {
      for (let column = 0; column < Math.min(width, 128); column++) {
        let dropped = 0;
        for (let at = column; at < count; at += width) if (values[at] === 0) dropped++;
        if (rows > 100) expect(Math.abs(dropped / rows - rate)).toBeLessThan(6 * Math.sqrt((rate * (1 - rate)) / rows));
      }
    }
  });
});

describe("a mask depends on", () => {
  const same = (a: Float32Array, b: Float32Array) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
  const shape = [4, 10, 64];

  test("nothing that changes when it is made again", () => {
    expect(same(mask(shape, 0.1), mask(shape, 0.1))).toBe(true);
  });

  test.each([
    ["seed", { seed: 43 }],
    ["step", { step: 4 }],
    ["a step 2³² away", { step: 3 + 2 ** 32 }],
    ["a step 2³³ away", { step: 3 + 2 ** 33 }],
    ["place", { place: 6 }],
    ["a place far away", { place: 5 + 2 ** 20 }],
    ["samples", { samples: [4, 5, 6, 7] }],
  ])("%s", (_, other) => {
    const [a, b] = [mask(shape, 0.1), mask(shape, 0.1, other)];
    expect(same(a, b)).toBe(false);
    for (let index = 0; index < 40; index++) expect(same(row(a, index, 64), row(b, index, 64))).toBe(false);
  });

  test("the sample, not its place in the micro-batch", () => {
    const whole = mask([4, 3, 10, 16], 0.1);
    const size = 3 * 10 * 16;
    for (const samples of [[2], [3, 0], [1, 2, 3, 0]]) {
      const part = mask([samples.length, 3, 10, 16], 0.1, { samples });
      samples.forEach((sample, index) => expect(same(row(part, index, size), row(whole, sample, size))).toBe(true));
    }
  });

  test("not on padding: of rows and columns that are both there, elements are the same", () => {
    const [narrow, wide] = [mask([4, 3, 10, 10], 0.1), mask([4, 3, 17, 17], 0.1)];
    for (let group = 0; group < 12; group++) {
      for (let i = 0; i < 10; i++) {
        const [from, to] = [row(narrow, group * 10 + i, 10), row(wide, group * 17 + i, 17).slice(0, 10)];
        expect(same(from, to)).toBe(true);
      }
    }
    const [short, long] = [mask([4, 10, 64], 0.1), mask([4, 17, 64], 0.1)];
    for (let sample = 0; sample < 4; sample++) {
      expect(same(short.slice(sample * 640, (sample + 1) * 640), long.slice(sample * 17 * 64, sample * 17 * 64 + 640))).toBe(true);
    }
  });
});

describe("masks are unlike", () => {
  const shape = [4, 4, 64, 256];
  const size = 4 * 4 * 64 * 256;
  const a = mask(shape, 0.1);
  const bound = 6 / Math.sqrt(size); // of independent ones the correlation's deviation is 1/√size

  test.each([
    ["those of the next step", { step: 4 }],
    ["those of the next place", { place: 6 }],
    ["those of the next samples", { samples: [4, 5, 6, 7] }],
    ["those of another seed", { seed: 43 }],
    ["those of 2³² steps later", { step: 3 + 2 ** 32 }],
  ])("%s", (_, other) => {
    expect(Math.abs(correlation(a, mask(shape, 0.1, other)))).toBeLessThan(bound);
  });

  test("from row to row, head to head and sample to sample", () => {
    for (const distance of [256, 2 * 256, 64 * 256, 4 * 64 * 256]) {
      expect(Math.abs(correlation(a.subarray(0, size - distance), a.subarray(distance)))).toBeLessThan(bound);
    }
  });

  test("from element to element of a row", () => {
    for (const distance of [1, 2, 3, 4, 8, 64])
      expect(Math.abs(correlation(a.subarray(0, size - distance), a.subarray(distance)))).toBeLessThan(bound);
  });

  test("rows of a step: few are equal, and they are spread over the bank", () => {
    const rows = new Map<string, number>();
    for (let index = 0; index < size / 256; index++) {
      const bytes = Buffer.from(row(a, index, 256).map((value) => (value > 0 ? 1 : 0)).buffer).toString("latin1");
      rows.set(bytes, (rows.get(bytes) ?? 0) + 1);
    }
    expect(rows.size).toBeGreaterThan(size / 256 - 4);
  });
});

test("steps one after the other give every element its share of drops", () => {
  const [steps, width] = [2000, 32];
  const dropped = new Float64Array(width);
  for (let step = 0; step < steps; step++)
    mask([1, 1, width], 0.1, { step, samples: [0] }).forEach((value, at) => (dropped[at] += value === 0 ? 1 : 0));
  for (const count of dropped) expect(Math.abs(count / steps - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / steps));
});

test("a row wider than any is refused, not wrapped", () => {
  expect(() => mask([1, 40_000], 0.1)).toThrow("internal: dropout rows should have at most 32768 elements, got 40000");
});

test("what all samples share drops the same elements whichever samples there are, and each row others", () => {
  const shared = mask([8, 256], 0.5, { samples: undefined });
  expect(mask([8, 256], 0.5, { samples: undefined })).toEqual(shared);
  expect(mask([8, 256], 0.5, { samples: undefined, place: 6 })).not.toEqual(shared);
  expect(new Set(Array.from({ length: 8 }, (_, at) => row(shared, at, 256).join())).size).toBe(8);
});
