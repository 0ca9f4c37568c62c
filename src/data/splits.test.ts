import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QaExample } from "./examples.js";
import { shuffled, splitExamples } from "./splits.js";

const examples = (count: number, perContext = 3): QaExample[] =>
  Array.from({ length: count }, (_, i) => {
    const context = `context ${Math.floor(i / perContext)}`;
    return { id: String(i), title: `title ${Math.floor(i / (2 * perContext))}`, question: "?", context, answers: [], impossible: true };
  });
const ids = (list: QaExample[]) => list.map(({ id }) => id);

describe("splitExamples", () => {
  it("loses nothing, keeps groups together and the order, and sets aside about the fraction", () => {
    const by = fc.constantFrom("example" as const, "title" as const, "context" as const);
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 200 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.nat(),
        by,
        (count, fraction, seed, group) => {
          const all = examples(count);
          const { train, heldOut } = splitExamples(all, { fraction, seed, by: group });
          expect([...train, ...heldOut].map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(all.map(({ id }) => Number(id)));
          expect(Math.min(train.length, heldOut.length)).toBeGreaterThan(0);
          expect(Math.abs(heldOut.length - count * fraction)).toBeLessThanOrEqual(7);
          const isAscending = (part: QaExample[]) => part.every(({ id }, i) => i === 0 || Number(part[i - 1].id) < Number(id));
          expect([isAscending(train), isAscending(heldOut)]).toEqual([true, true]);
          if (group === "example") return;
          const onBothSides = train.filter((one) => heldOut.some((other) => other[group] === one[group]));
          expect(onBothSides).toEqual([]);
        },
      ),
    );
  });

  it("depends on the seed only", () => {
    const of = (seed: number) => ids(splitExamples(examples(50), { fraction: 0.2, seed }).heldOut);
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    expect(of(1)).toHaveLength(10);
  });

  it("sets one group aside when all are larger than asked for", () => {
    expect(splitExamples(examples(12), { fraction: 0.01, seed: 1, by: "title" }).heldOut).toHaveLength(6);
  });

  it.each([
    [{ fraction: 0, seed: 1 }, /above 0 and below 1/],
    [{ fraction: NaN, seed: 1 }, /above 0 and below 1/],
    [{ fraction: 0.5, seed: 1, by: "context" as const }, /cannot be split by context/],
  ])("refuses %j", (options, message) => {
    expect(() => splitExamples(examples(3), options)).toThrow(message);
  });

  it("refuses to split by titles that are not there", () => {
    const untitled = examples(9).map((example) => ({ ...example, title: undefined }));
    expect(() => splitExamples(untitled, { fraction: 0.5, seed: 1, by: "title" })).toThrow(/no title/);
  });
});

describe("shuffled", () => {
  it("keeps every item, in an order of the seed", () => {
    const items = Array.from({ length: 20 }, (_, i) => i);
    expect([...shuffled(items, 5)].sort((a, b) => a - b)).toEqual(items);
    expect(shuffled(items, 5)).toEqual(shuffled(items, 5));
    expect(shuffled(items, 5)).not.toEqual(shuffled(items, 6));
  });
});
