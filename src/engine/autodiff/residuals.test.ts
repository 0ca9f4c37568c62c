/** What is kept: of small graphs by name, of random ones by property. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elementCount, evaluateDimension, symbol, symbolsOf } from "../graph/dimension.js";
import { orderNodes } from "../graph/graph.js";
import { input, type Value } from "../graph/value.js";
import { definitionOf } from "../ops/define-op.js";
import { add, exp, linear, matmul, mul, reshape, sum, tanh, transposed } from "../ops/index.js";
import { chooseResiduals, type ResidualPolicy } from "./residuals.js";

const batch = symbol("batch");
const [x, w, grown] = [input("x", "float32", [batch, 4]), input("w", "float32", [4, 4]), input("grown", "float32", [16, 4])];
const choose = (policy: ResidualPolicy, read: Value[], free: Value[] = []) => chooseResiduals(policy, read, new Set(free));

describe("of a chain of one product and two cheap ops", () => {
  const product = linear(x, w);
  const [once, twice] = [tanh(product), exp(tanh(product))];

  test("all that is read is kept", () => expect(new Set(choose("keep", [product, twice]))).toEqual(new Set([product, twice])));
  test("the product is kept and the rest computed again", () => expect(choose("recompute", [product, once, twice])).toEqual([product]));
  test("a cheap value alone is kept instead of what it is made of, being no larger", () =>
    expect(choose("recompute", [once])).toHaveLength(1));
  test("nothing is kept", () => expect(choose("checkpoint", [product, once, twice])).toEqual([]));
  test("inputs and outputs are there anyway", () => expect(choose("keep", [x, product], [product])).toEqual([]));
});

test("the smaller side of a cheap op is kept", () => {
  const small = sum(linear(x, w), [1], { keepDimensions: true }); // [batch, 1]
  const wide = mul(small, linear(x, grown)); // [batch, 16]
  const kept = choose("recompute", [mul(small, input("row", "float32", [1, 64]))]);
  expect(kept).toEqual([small]);
  expect(choose("keep", [wide])).toEqual([wide]);
});

test("of a view the original is kept, under any policy", () => {
  const product = linear(x, w);
  const view = reshape(transposed(reshape(product, [batch, 2, 2])), [batch, 4]);
  const views = orderNodes([view]).filter((node) => definitionOf(node).cost === "view");
  if (views.length > 0) expect(choose("keep", [reshape(product, [batch, 2, 2])])).toEqual([product]);
});

test("everything that is read follows from what is kept by cheap ops, and nothing smaller would do", () => {
  const operation = fc.record({ kind: fc.constantFrom("tanh", "add", "linear", "grow", "shrink"), a: fc.nat(30), b: fc.nat(30) });
  const width = (value: Value) => Number(value.shape[1]);
  fc.assert(
    fc.property(
      fc.array(operation, { minLength: 1, maxLength: 9 }),
      fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
      (operations, chosen) => {
        const values: Value[] = [x];
        for (const { kind, a, b } of operations) {
          const value = values[a % values.length];
          const others = values.filter((other) => width(other) === width(value));
          const weight = (rows: number) => input(`w${values.length}`, "float32", [rows, width(value)]);
          if (kind === "tanh") values.push(tanh(value));
          if (kind === "add") values.push(add(value, others[b % others.length]));
          if (kind === "linear") values.push(matmul(value, weight(width(value)), { transposeB: true }));
          if (kind === "grow") values.push(linear(value, weight(width(value) === 4 ? 16 : 4)));
          if (kind === "shrink") values.push(mul(value, sum(value, [1], { keepDimensions: true })));
        }
        const read = [...new Set(chosen.map((at) => values[at % values.length]))].filter((value) => value.node !== undefined);
        const kept = new Set(choose("recompute", read));
        const size = (value: Value) => {
          const count = elementCount(value.shape);
          return evaluateDimension(count, Object.fromEntries(symbolsOf(count).map((name) => [name, 256])));
        };
        const total = (set: Iterable<Value>) => [...set].reduce((sum, value) => sum + size(value), 0);
        const cheap = (value: Value) => ["view", "elementwise"].includes(definitionOf(value.node!).cost ?? "heavy");
        const follows = (value: Value, from: ReadonlySet<Value>): boolean =>
          value.node === undefined || from.has(value) || (cheap(value) && value.node.inputs.every((source) => follows(source, from)));
        for (const value of read) expect(follows(value, kept)).toBe(true);

        const candidates = orderNodes(read)
          .flatMap((node) => node.outputs)
          .slice(0, 12);
        for (let set = 0; set < 1 << candidates.length; set++) {
          const other = new Set(candidates.filter((_, at) => ((set >> at) & 1) === 1));
          if (read.every((value) => follows(value, other))) expect(total(kept)).toBeLessThanOrEqual(total(other));
        }
      },
    ),
    { numRuns: 60 },
  );
});
