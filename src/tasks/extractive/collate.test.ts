import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildModel } from "../../models/index.js";
import { collate, groupByLength } from "./collate.js";
import type { Feature } from "./features.js";

const feature = (length: number, start = 0, end = 0): Feature => ({
  exampleIndex: 0,
  exampleId: "a",
  ids: Int32Array.from({ length }, (_, at) => 10 + at),
  typeIds: Int32Array.from({ length }, (_, at) => (at > 1 ? 1 : 0)),
  offsets: new Int32Array(2 * length).fill(-1),
  start,
  end,
  length,
});
const bert = buildModel({ model_type: "bert", vocab_size: 99, pad_token_id: 7 });
const distilbert = buildModel({ model_type: "distilbert", vocab_size: 99 });

describe("windows side by side", () => {
  test("are padded to the longest of them", () => {
    const { bindings, inputs } = collate([feature(2, 1, 1), feature(4, 2, 3)], bert, { weight: 0.25, padTypeId: 3 });
    expect(bindings).toEqual({ batch: 2, seq: 4 });
    expect(
      Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, Array.from(data as ArrayLike<bigint | number>, Number)])),
    ).toEqual({
      input_ids: [10, 11, 7, 7, 10, 11, 12, 13],
      attention_mask: [1, 1, 0, 0, 1, 1, 1, 1],
      token_type_ids: [0, 0, 3, 3, 0, 0, 1, 1],
      start_positions: [1, 2],
      end_positions: [1, 3],
      start_weights: [0.25, 0.25],
      end_weights: [0.25, 0.25],
    });
  });

  test("or to a length that is asked for", () => {
    const { bindings, inputs } = collate([feature(2)], bert, { weight: 1, padTo: 5, padTypeId: 0 });
    expect(bindings).toEqual({ batch: 1, seq: 5 });
    expect(inputs.attention_mask).toEqual(BigInt64Array.of(1n, 1n, 0n, 0n, 0n));
  });

  test("have token types only where the model reads them", () => {
    expect(Object.keys(collate([feature(2)], distilbert, { weight: 1, padTypeId: 0 }).inputs)).not.toContain("token_type_ids");
  });
});

describe("groups of like length", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 60 });

  test("hold every window once, the longest first, within both limits", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 400 }), (list, most, tokens) => {
        const groups = groupByLength(list, most, tokens);
        expect(groups.flat().sort((a, b) => a - b)).toEqual(list.map((_, index) => index));
        const inOrder = groups.flat().map((index) => list[index]);
        expect(inOrder).toEqual([...inOrder].sort((a, b) => b - a));
        for (const group of groups) {
          expect(group.length).toBeLessThanOrEqual(most);
          if (group.length > 1) expect(group.length * list[group[0]]).toBeLessThanOrEqual(tokens);
        }
      }),
    );
  });

  test("are as few as filling one after the other gives", () => {
    expect(groupByLength([5, 1, 5, 3, 2], Infinity, 10)).toEqual([
      [0, 2],
      [3, 4, 1],
    ]);
    expect(groupByLength([5, 1, 5, 3, 2], 2, 1000)).toEqual([[0, 2], [3, 4], [1]]);
    expect(groupByLength([], 4, 100)).toEqual([]);
  });
});
