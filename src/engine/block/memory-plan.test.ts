import fc from "fast-check";
import { expect, test } from "vitest";
import { type Lifetime, planMemory } from "./memory-plan.js";

const lifetimes = fc
  .array(fc.record({ byteLength: fc.nat(5000), first: fc.integer({ min: -1, max: 30 }), length: fc.nat(31) }), { maxLength: 40 })
  .map((list) =>
    list.map(({ byteLength, first, length }, index): Lifetime => ({ name: `t${index}`, byteLength, first, last: first + length })),
  );

const alive = (a: Lifetime, b: Lifetime) => a.first <= b.last && b.first <= a.last;

test("no two tensors that live at the same time overlap, and every one is aligned and within the whole", () => {
  fc.assert(
    fc.property(lifetimes, (list) => {
      const { offsets, byteLength } = planMemory(list);
      const endOf = (lifetime: Lifetime) => offsets.get(lifetime.name)! + Math.max(lifetime.byteLength, 1);
      for (const [index, a] of list.entries()) {
        expect(offsets.get(a.name)! % 64).toBe(0);
        expect(endOf(a)).toBeLessThanOrEqual(byteLength);
        for (const b of list.slice(0, index)) {
          if (alive(a, b)) expect(endOf(a) <= offsets.get(b.name)! || endOf(b) <= offsets.get(a.name)!).toBe(true);
        }
      }
    }),
  );
});

test("the whole holds what lives at any moment, and is no more than everything side by side", () => {
  fc.assert(
    fc.property(lifetimes, (list) => {
      const { byteLength } = planMemory(list);
      for (let event = -1; event <= 61; event++) {
        const live = list.filter(({ first, last }) => first <= event && event <= last);
        expect(byteLength).toBeGreaterThanOrEqual(live.reduce((sum, lifetime) => sum + lifetime.byteLength, 0));
      }
      expect(byteLength).toBeLessThanOrEqual(
        list.reduce((sum, lifetime) => sum + Math.ceil(Math.max(lifetime.byteLength, 1) / 64) * 64, 0),
      );
    }),
  );
});

test("a chain of layers needs two activations, whatever its depth", () => {
  const chain = Array.from({ length: 50 }, (_, index): Lifetime => ({
    name: `x${index}`,
    byteLength: 1024,
    first: index,
    last: index + 1,
  }));
  expect(planMemory(chain).byteLength).toBe(2048);
});

test("nothing needs nothing", () => {
  expect(planMemory([])).toEqual({ offsets: new Map(), byteLength: 0 });
});
