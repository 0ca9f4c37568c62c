/** The engine without models and tasks: a line is fitted by gradient descent. npx tsx examples/engine.ts */
import { allocateTensor, backward, Graph, input, linear, mean, nativeRuntime, scalar, square, sub, symbol } from "lectern/engine";

// loss = mean((x·Wᵀ + b − y)²), and its gradients: ordinary values of the same graph.
const x = input("x", "float32", [symbol("samples"), 1]);
const y = input("y", "float32", [symbol("samples"), 1]);
const weight = input("weight", "float32", [1, 1]);
const bias = input("bias", "float32", [1]);
const loss = mean(square(sub(linear(x, weight, bias), y)));
const [dWeight, dBias] = backward([{ value: loss, gradient: scalar(1) }], [weight, bias]);
const graph = new Graph(
  [x, y, weight, bias],
  [
    { name: "loss", value: loss },
    { name: "d weight", value: dWeight! },
    { name: "d bias", value: dBias! },
  ],
);
console.log(`${graph}\n`);

const runtime = nativeRuntime();
const program = await runtime.compile(graph);
const tensor = (shape: number[], data: number[] = []) => {
  const made = allocateTensor(runtime, "float32", shape);
  (made.data as Float32Array).set(data);
  return made;
};
const points = [-2, -1, 0, 1, 2];
const [w, b] = [tensor([1, 1]), tensor([1])];
const inputs = [
  tensor([5, 1], points),
  tensor(
    [5, 1],
    points.map((point) => 3 * point + 1),
  ),
  w,
  b,
];
const outputs = [tensor([]), tensor([1, 1]), tensor([1])];
for (let step = 0; step < 100; step++) {
  await program.run(inputs, outputs);
  w.data[0] = Number(w.data[0]) - 0.1 * Number(outputs[1].data[0]);
  b.data[0] = Number(b.data[0]) - 0.1 * Number(outputs[2].data[0]);
}
console.log(`y = ${Number(w.data[0]).toFixed(3)} x + ${Number(b.data[0]).toFixed(3)}, loss ${Number(outputs[0].data[0]).toExponential(1)}`);
program.release();
