import { describe, expect, test } from "vitest";
import { computeGraph, float32, type Numbers } from "../../../test/engine/compute-graph.js";
import { symbol } from "../graph/dimension.js";
import { Graph, orderNodes } from "../graph/graph.js";
import { input, type Value, withScope } from "../graph/value.js";
import { add, cast, equal, exp, greater, linear, matmul, mul, reshape, scalar, softmax, sum, tanh } from "../ops/index.js";
import { backward } from "./backward.js";

const compute = (inputs: Value[], values: (Value | undefined)[], given: Numbers[]) =>
  computeGraph(
    new Graph(
      inputs,
      values.map((value, index) => ({ name: `g${index}`, value: value! })),
    ),
    given,
  );

describe("gradients", () => {
  const n = symbol("n");
  const [x, y] = [input("x", "float32", [n]), input("y", "float32", [n])];
  const [three, four] = [float32([2], [3, -1]), float32([2], [4, 2])];

  test("of a value used several times are summed", async () => {
    const z = add(mul(x, x), mul(x, y)); // dz/dx = 2x + y
    const [gradient] = await compute([x, y], backward([{ value: sum(z), gradient: scalar(1) }], [x]), [three, four]);
    expect(gradient.data).toEqual([10, 0]);
  });

  test("of several outputs at once are those of their weighted sum", async () => {
    const seeds = [
      { value: mul(x, y), gradient: y },
      { value: sum(x), gradient: scalar(10) },
    ];
    const [dx, dy] = await compute([x, y], backward(seeds, [x, y]), [three, four]);
    expect(dx.data).toEqual([26, 14]); // y·y + 10
    expect(dy.data).toEqual([12, -2]); // x·y
  });

  test("of a broadcast operand are summed over what was added and stretched", async () => {
    const [a, b, c] = [input("a", "float32", [n, 3]), input("b", "float32", [3]), input("c", "float32", [n, 1])];
    const gradients = backward([{ value: sum(mul(add(a, b), c)), gradient: scalar(1) }], [b, c]);
    expect(gradients.map((value) => String(value!.shape))).toEqual(["3", "n,1"]);
    const [db, dc] = await compute([a, b, c], gradients, [
      float32([2, 3], [1, 2, 3, 4, 5, 6]),
      float32([3], [1, 1, 1]),
      float32([2, 1], [2, 5]),
    ]);
    expect(db.data).toEqual([7, 7, 7]);
    expect(dc.data).toEqual([9, 18]);
  });

  test("of a seed itself are the seed", () => {
    const dz = input("dz", "float32", [n]);
    expect(backward([{ value: x, gradient: dz }], [x, y])).toEqual([dz, undefined]);
  });

  test("are undefined for what the seeds do not depend on", () => {
    expect(backward([{ value: sum(mul(x, x)), gradient: scalar(1) }], [y])).toEqual([undefined]);
  });

  test("may be wanted of values inside the graph", async () => {
    const middle = mul(x, 2);
    const [gradient] = await compute([x, y], backward([{ value: sum(mul(middle, y)), gradient: scalar(1) }], [middle]), [three, four]);
    expect(gradient.data).toEqual([4, 2]);
  });

  test("are not built where none is wanted", () => {
    const [w, v] = [input("w", "float32", [4, 4]), input("v", "float32", [4, 4])];
    const rows = input("rows", "float32", [n, 4]);
    const loss = sum(linear(tanh(linear(rows, w)), v));
    const products = (wanted: Value[]) =>
      orderNodes(backward([{ value: loss, gradient: scalar(1) }], wanted).map((value) => value!)).filter(({ op }) => op.name === "MatMul")
        .length;
    expect(products([v])).toBe(1);
    expect(products([w])).toBe(2); // through v, then w's own
    expect(products([rows, w, v])).toBe(4);
  });
});

describe("an op without a gradient", () => {
  const x = input("x", "float32", [3]);

  test("on the only way from a wanted value is told with the way", () => {
    const loss = withScope("head", () => {
      const passed = withScope("gate", () => cast(cast(greater(exp(x), 1), "int64"), "float32"));
      return sum(mul(passed, 2));
    });
    // nothing differentiable leads from x to the loss: integers and truths carry no gradient
    expect(backward([{ value: loss, gradient: scalar(1) }], [x])).toEqual([undefined]);
  });

  test("beside another way is passed over", async () => {
    const loss = sum(mul(x, cast(greater(x, 0), "float32")));
    const [gradient] = await compute([x], backward([{ value: loss, gradient: scalar(1) }], [x]), [float32([3], [1, -2, 3])]);
    expect(gradient.data).toEqual([1, 0, 1]);
  });

  test("that should have been expanded is our mistake", () => {
    const weights = softmax(x);
    const gradient = () => backward([{ value: sum(mul(weights, x)), gradient: scalar(1) }], [x]);
    if (orderNodes([weights]).some(({ op }) => "expand" in (op as unknown as { definition: object }).definition))
      expect(gradient).toThrow(/internal: .* was not expanded/);
    else expect(gradient()).toHaveLength(1);
  });
});

test("a deep graph is walked without recursion", async () => {
  const x = input("x", "float32", [1]);
  let y: Value = x;
  for (let depth = 0; depth < 5000; depth++) y = add(y, x);
  const [gradient] = backward([{ value: sum(y), gradient: scalar(1) }], [x]);
  expect(orderNodes([gradient!]).length).toBeGreaterThan(4000);
});

test("matrix products with shared operands", async () => {
  const a = input("a", "float32", [2, 2]);
  const gradients = backward([{ value: sum(matmul(a, a)), gradient: scalar(1) }], [a]); // d Σ A·A = 1·Aᵀ + Aᵀ·1
  const [gradient] = await compute([a], gradients, [float32([2, 2], [1, 2, 3, 4])]);
  expect(gradient.data).toEqual([7, 11, 9, 13]);
});

test("equality is no function that a gradient passes through", () => {
  const x = input("x", "float32", [2]);
  expect(backward([{ value: sum(reshape(cast(equal(x, 1), "float32"), [2])), gradient: scalar(1) }], [x])).toEqual([undefined]);
});
