/** The algebra of dimensions is that of the integers they stand for, and equal sizes have one form. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addDimensions,
  ceilDivide,
  type Dimension,
  divideExactly,
  evaluateDimension,
  evaluateShape,
  floorDivide,
  multiplyDimensions,
  printShape,
  sameDimension,
  sameShape,
  subtractDimensions,
  symbol,
  symbolsOf,
} from "./dimension.js";

const names = ["batch", "seq", "heads"];
const bindings = fc.record(Object.fromEntries(names.map((name) => [name, fc.integer({ min: 0, max: 50 })])));
const leaf: fc.Arbitrary<Dimension> = fc.oneof(fc.constantFrom(...names).map(symbol), fc.integer({ min: 0, max: 9 }));
const dimension: fc.Arbitrary<Dimension> = fc.letrec<{ dimension: Dimension }>((tie) => ({
  dimension: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.tuple(tie("dimension"), tie("dimension")).map(([a, b]) => addDimensions(a, b)),
    fc.tuple(tie("dimension"), tie("dimension")).map(([a, b]) => multiplyDimensions(a, b)),
    fc.tuple(tie("dimension"), fc.integer({ min: 1, max: 6 })).map(([a, divisor]) => floorDivide(a, divisor)),
  ),
})).dimension;

describe("dimensions", () => {
  test("computing with them and then binding is binding and then computing", () => {
    fc.assert(
      fc.property(dimension, dimension, fc.integer({ min: 1, max: 7 }), bindings, (a, b, divisor, bound) => {
        const [x, y] = evaluateShape([a, b], bound);
        expect(evaluateDimension(addDimensions(a, b), bound)).toBe(x + y);
        expect(evaluateDimension(subtractDimensions(a, b), bound)).toBe(x - y);
        expect(evaluateDimension(multiplyDimensions(a, b), bound)).toBe(x * y);
        expect(evaluateDimension(floorDivide(a, divisor), bound)).toBe(Math.floor(x / divisor));
        expect(evaluateDimension(ceilDivide(a, divisor), bound)).toBe(Math.ceil(x / divisor));
      }),
    );
  });

  test("what is the same by the laws of arithmetic has one form", () => {
    fc.assert(
      fc.property(dimension, dimension, dimension, (a, b, c) => {
        expect(sameDimension(addDimensions(a, b, c), addDimensions(c, a, b))).toBe(true);
        expect(
          sameDimension(multiplyDimensions(a, addDimensions(b, c)), addDimensions(multiplyDimensions(a, b), multiplyDimensions(c, a))),
        ).toBe(true);
        expect(subtractDimensions(addDimensions(a, b), b).toString()).toBe(a.toString());
        expect(subtractDimensions(a, a)).toBe(0);
      }),
    );
  });

  test("a product is divided by its factor", () => {
    fc.assert(
      fc.property(dimension, fc.array(leaf, { minLength: 1, maxLength: 3 }), (a, factors) => {
        const factor = multiplyDimensions(...factors);
        fc.pre(factor !== 0 && a !== 0);
        expect(divideExactly(multiplyDimensions(a, factor), factor)?.toString()).toBe(a.toString());
      }),
    );
    expect(divideExactly(symbol("seq"), symbol("batch"))).toBeUndefined();
    expect(divideExactly(multiplyDimensions(3, symbol("seq")), 2)).toBeUndefined();
  });

  test("a length filled up to whole windows is a whole number of windows", () => {
    const windows = ceilDivide(symbol("seq"), 64);
    const padded = multiplyDimensions(windows, 64);
    expect(ceilDivide(padded, 64).toString()).toBe(windows.toString());
    expect(floorDivide(addDimensions(padded, 64), 64).toString()).toBe(addDimensions(windows, 1).toString());
  });

  test("they print as polynomials", () => {
    const [batch, seq] = [symbol("batch"), symbol("seq")];
    expect(printShape([batch, multiplyDimensions(seq, batch, 2), addDimensions(seq, -1), ceilDivide(seq, 16), 384])).toMatchInlineSnapshot(
      `"[batch, 2*batch*seq, seq + -1, floor((seq + 15)/16), 384]"`,
    );
    expect(symbolsOf(multiplyDimensions(batch, floorDivide(seq, 3)))).toEqual(["batch", "seq"]);
    expect(sameShape([batch, 3], [batch, 3])).toBe(true);
    expect(sameShape([batch, 3], [batch])).toBe(false);
  });

  test("a symbol without a value is our bug, and named", () => {
    expect(() => evaluateDimension(multiplyDimensions(symbol("batch"), 2), { seq: 3 })).toThrow(
      "internal: no binding for dimension batch (bound: seq)",
    );
  });
});
