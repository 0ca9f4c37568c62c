/**
 * The one contract that every op keeps, on the samples of its definition: the types it infers are those the runtime computes, with sizes known
 * or symbolic; its gradient is that of central differences; and its lowering to standard operators gives the values of the fused one.
 */
import { backward } from "./autodiff/backward.js";
import { type Dimension, evaluateShape, type Shape, symbol, SymbolicDimension } from "./graph/dimension.js";
import { Graph } from "./graph/graph.js";
import { expandComposites } from "./graph/rewrite.js";
import { type DataType, input } from "./graph/value.js";
import { type DefinedOp, ShapeError } from "./ops/define-op.js";
import { attributesOf, type SampleCase, sampleRandom } from "./ops/sample.js";
import { nativeRuntime } from "./runtime/native/native-runtime.js";
import { allocateTensor, type CompileOptions, type Runtime, type Tensor } from "./runtime/runtime.js";

/** A tensor as plain numbers. */
export interface Numbers {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** One thing that an op must hold to. */
export interface OpCheck {
  /** What is checked, on which sample. */
  readonly name: string;
  /** Rejects, with what differs, where it does not hold. */
  readonly run: () => Promise<void>;
}

/**
 * Checks an op that a program defines.
 * @throws Error what the first check that fails found; ShapeError of the op's own rule
 * @example
 * await checkOp(Softplus); // in a test
 */
export async function checkOp(op: DefinedOp, runtime: Runtime = nativeRuntime()): Promise<void> {
  for (const { name, run } of opChecks(op, runtime)) {
    try {
      await run();
    } catch (cause) {
      throw new Error(`${op.name}, ${name}: ${(cause as Error).message}`, { cause });
    }
  }
}

/** The checks of an op, one by one. */
export function opChecks(op: DefinedOp, runtime: Runtime): OpCheck[] {
  const samples = op.definition.sample(sampleRandom(7));
  const { vjp, expand, differentiable } = op.definition;
  const declaration = {
    name: "has samples, and exactly one of a gradient, a definition by other ops, or neither by declaration",
    run: async () => {
      const rules = [vjp !== undefined, expand !== undefined, differentiable === false].filter(Boolean).length;
      if (rules !== 1 || samples.length === 0)
        throw new Error(`${rules} of vjp, expand and differentiable: false, ${samples.length} samples`);
    },
  };
  const ofSamples = samples.flatMap((sample, index): OpCheck[] => {
    const label = `case ${index + 1}, ${sample.inputs.map(({ shape }) => `[${shape}]`).join(" ")}`;
    const wanted = sample.gradientOf ?? sample.inputs.flatMap(({ dtype }, at) => (dtype === "float32" ? [at] : []));
    const types = {
      name: `${label}: types are inferred as the runtime computes them, by either lowering`,
      run: () => checkTypes(op, sample, runtime),
    };
    if (differentiable === false || wanted.length === 0) return [types];
    return [
      types,
      { name: `${label}: the gradient is that of central differences`, run: () => checkGradient(op, sample, wanted, runtime) },
    ];
  });
  return [declaration, ...ofSamples];
}

/** How the sizes of a case's inputs are written: as they are, or as symbols (one name for one size). */
type Sizes = (size: number, batch: number) => Dimension;
const known: Sizes = (size) => size;
const batchSymbolic: Sizes = (size, batch) => (size === batch && size !== 1 ? symbol("batch") : size);
const allSymbolic: Sizes = (size) => (size !== 1 ? symbol(`n${size}`) : size);
/** Every size a symbol, 1 too: for the ops that do not rely on seeing the 1. */
const evenOnesSymbolic: Sizes = (size) => symbol(`n${size}`);

async function checkTypes(op: DefinedOp, sample: SampleCase, runtime: Runtime): Promise<void> {
  const expected = await computeGraph(runtime, applied(op, sample, known), sample.inputs);
  const graphs = [known, batchSymbolic, allSymbolic].map((sizes) => applied(op, sample, sizes));
  try {
    graphs.push(applied(op, sample, evenOnesSymbolic));
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error; // it broadcasts, and must know which sizes are 1
  }
  for (const graph of graphs) {
    for (const fused of [true, false]) {
      const results = await computeGraph(runtime, graph, sample.inputs, { fused });
      results.forEach((result, at) => requireClose(result, expected[at], 1e-5, `output ${at}${fused ? "" : " in standard operators"}`));
    }
  }
}

async function checkGradient(op: DefinedOp, sample: SampleCase, wanted: readonly number[], runtime: Runtime): Promise<void> {
  const graph = applied(op, sample, known);
  const forward = await compileGraph(runtime, graph);
  const { graph: reverse, weighted } = gradientGraph(op, graph, wanted);
  const random = sampleRandom(11);
  const weights = weighted.map((at) => random.normal(graph.outputs[at].value.shape as number[]));
  const gradients = await computeGraph(runtime, reverse, [...sample.inputs, ...weights]);

  const lossAt = async (which: number, element: number, step: number) => {
    const moved = sample.inputs.map((tensor, at) =>
      at === which ? { ...tensor, data: tensor.data.map((value, place) => (place === element ? value + step : value)) } : tensor,
    );
    const outputs = await forward(moved);
    return inner(
      weighted.map((at) => outputs[at]),
      weights,
    );
  };
  const slope = async (which: number, element: number, step: number) =>
    ((await lossAt(which, element, step)) - (await lossAt(which, element, -step))) / (2 * step);

  for (const [at, which] of wanted.entries()) {
    const differences: number[] = [];
    for (let element = 0; element < sample.inputs[which].data.length; element++) {
      // Richardson: the errors of the two slopes, of second order in the step, cancel
      differences.push((4 * (await slope(which, element, 0.01)) - (await slope(which, element, 0.02))) / 3);
    }
    requireClose(gradients[at], { ...sample.inputs[which], data: differences }, 2e-3, `the gradient of input ${which}`);
  }
  for (const [at, which] of wanted.entries()) {
    const [alone] = await computeGraph(runtime, gradientGraph(op, graph, [which]).graph, [...sample.inputs, ...weights]);
    requireClose(alone, gradients[at], 1e-5, `the gradient of input ${which}, asked for alone`);
  }
  for (const sizes of [batchSymbolic, allSymbolic]) {
    const symbolic = gradientGraph(op, applied(op, sample, sizes), wanted).graph;
    const computed = await computeGraph(runtime, symbolic, [...sample.inputs, ...weights]);
    computed.forEach((gradient, at) =>
      requireClose(gradient, gradients[at], 1e-5, `the gradient of input ${wanted[at]}, with symbolic sizes`),
    );
  }
}

function applied(op: DefinedOp, sample: SampleCase, sizes: Sizes): Graph {
  const batch = sample.inputs[0]?.shape[0];
  const inputs = sample.inputs.map(({ dtype, shape }, index) =>
    input(
      `x${index}`,
      dtype,
      shape.map((size) => sizes(size, batch)),
    ),
  );
  const outputs = op.apply(inputs, attributesOf(sample, inputs));
  return new Graph(
    inputs,
    outputs.map((value, index) => ({ name: `y${index}`, value })),
  );
}

/** The gradient of Σ outputs·weights: its inputs are those of `graph` and then the weights. */
function gradientGraph(op: DefinedOp, graph: Graph, wanted: readonly number[]): { graph: Graph; weighted: number[] } {
  const expanded = expandComposites(graph);
  const weighted = outputsWithGradient(op, graph);
  const seeds = weighted.map((index) => {
    const { value } = expanded.outputs[index];
    return { value, gradient: input(`w${index}`, "float32", value.shape) };
  });
  const gradients = backward(
    seeds,
    wanted.map((index) => graph.inputs[index]),
  );
  const outputs = gradients.map((value, at) => {
    if (value === undefined) throw new Error(`there is no gradient for input ${wanted[at]}`);
    return { name: `g${wanted[at]}`, value };
  });
  return { graph: new Graph([...graph.inputs, ...seeds.map((seed) => seed.gradient)], outputs), weighted };
}

/** Outputs after the first one of an op with a rule of its own are statistics for its gradient. */
function outputsWithGradient(op: DefinedOp, graph: Graph): number[] {
  return graph.outputs.flatMap(({ value }, index) =>
    value.dtype === "float32" && (index === 0 || op.definition.expand !== undefined) ? [index] : [],
  );
}

function requireClose(actual: Numbers, expected: Numbers, tolerance: number, what: string): void {
  if (actual.shape.join() !== expected.shape.join() || actual.data.length !== expected.data.length) {
    throw new Error(`${what} has shape [${actual.shape}] and not [${expected.shape}]`);
  }
  const scale = Math.max(norm(expected.data), 1e-3);
  const distance = norm(actual.data.map((value, index) => value - expected.data[index])) / scale;
  if (distance < tolerance) return;
  throw new Error(`${what} differs by ${distance.toPrecision(2)} of its norm, and ${tolerance} is allowed`);
}

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function inner(outputs: readonly Numbers[], weights: readonly Numbers[]): number {
  return outputs.reduce((sum, { data }, at) => data.reduce((partial, value, index) => partial + value * weights[at].data[index], sum), 0);
}

/** A compiled graph as a function of plain numbers; outputs are written into tensors of the inferred shapes. */
export async function compileGraph(
  runtime: Runtime,
  graph: Graph,
  options?: CompileOptions,
): Promise<(inputs: readonly Numbers[]) => Promise<Numbers[]>> {
  const program = await runtime.compile(graph, options);
  return async (inputs) => {
    const bindings = bindSymbols(
      graph.inputs.map((value) => value.shape),
      inputs.map((tensor) => tensor.shape),
    );
    const given = inputs.map((numbers) => toTensor(runtime, numbers));
    const results = graph.outputs.map(({ value }) => allocateTensor(runtime, value.dtype, evaluateShape(value.shape, bindings)));
    await program.run(given, results);
    const values = results.map(({ dtype, shape, data }) => ({
      dtype,
      shape,
      data: Array.from(data as ArrayLike<number | bigint>, Number),
    }));
    for (const tensor of [...given, ...results]) tensor.release();
    return values;
  };
}

async function computeGraph(runtime: Runtime, graph: Graph, inputs: readonly Numbers[], options?: CompileOptions): Promise<Numbers[]> {
  return (await compileGraph(runtime, graph, options))(inputs);
}

/** Plain numbers as a tensor of the runtime. */
export function toTensor(runtime: Runtime, { dtype, shape, data }: Numbers): Tensor {
  const tensor = allocateTensor(runtime, dtype, shape);
  if (tensor.data instanceof BigInt64Array) tensor.data.set(data.map(BigInt));
  else tensor.data.set(data);
  return tensor;
}

function bindSymbols(shapes: readonly Shape[], sizes: readonly (readonly number[])[]): Record<string, number> {
  const bindings: Record<string, number> = {};
  shapes.forEach((shape, index) =>
    shape.forEach((dimension, axis) => {
      if (dimension instanceof SymbolicDimension) bindings[dimension.key] = sizes[index][axis];
    }),
  );
  return bindings;
}
