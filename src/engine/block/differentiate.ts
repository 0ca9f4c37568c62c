/**
 * The pair of graphs that trains a block: forward, which also puts out the residuals, and backward, which reads them and adds
 * the gradients of parameters into accumulators. Both are derived from one trace.
 */
import { backward } from "../autodiff/backward.js";
import { chooseResiduals, type ResidualPolicy } from "../autodiff/residuals.js";
import { fuseAccumulation } from "../fusions/accumulate.js";
import { SymbolicDimension, symbolsOf } from "../graph/dimension.js";
import { Graph, orderNodes } from "../graph/graph.js";
import { expandComposites, mergeDuplicates } from "../graph/rewrite.js";
import { substitute } from "../graph/substitute.js";
import { input, type TensorType, type Value } from "../graph/value.js";
import { add } from "../ops/arithmetic.js";
import { type Block, traceBlock } from "./block.js";

export interface DifferentiateOptions {
  /** Block inputs whose gradient is wanted, and whether it is added to what other uses have already put there. */
  readonly inputs: ReadonlyMap<string, "write" | "accumulate">;
  /** Block outputs that receive a gradient. */
  readonly outputs: readonly string[];
  /** Block parameters that are trained; the rest are frozen and get no gradient. */
  readonly parameters: ReadonlySet<string>;
  readonly policy: ResidualPolicy;
}

/** What a graph input or output stands for, so that an executor can bind memory to it. */
export type Slot =
  | { readonly kind: "input" | "output" | "parameter" | "parameterGradient" | "inputGradient" | "outputGradient"; readonly name: string }
  | { readonly kind: "residual" | "mask"; readonly index: number };

export interface DifferentiatedBlock {
  readonly forward: { readonly graph: Graph; readonly inputs: readonly Slot[]; readonly outputs: readonly Slot[] };
  /** Undefined where nothing in or before the block is trained. */
  readonly backward: { readonly graph: Graph; readonly inputs: readonly Slot[]; readonly outputs: readonly Slot[] } | undefined;
  readonly outputs: ReadonlyMap<string, TensorType>;
  readonly residuals: readonly TensorType[];
  readonly dropouts: readonly { readonly type: TensorType; readonly rate: number }[];
}

/** Derives the two graphs. Throws NO_GRADIENT where a wanted gradient does not exist. */
export function differentiate(block: Block, options: DifferentiateOptions): DifferentiatedBlock {
  const raw = traceBlock(block, { training: true });
  const leaves: [Value, Slot][] = [
    ...[...raw.inputs].map(([name, value]): [Value, Slot] => [value, { kind: "input", name }]),
    ...[...raw.parameters].map(([name, value]): [Value, Slot] => [value, { kind: "parameter", name }]),
    ...raw.dropouts.map(({ mask }, index): [Value, Slot] => [mask, { kind: "mask", index }]),
  ];
  const slotOf = new Map(leaves);
  const allLeaves = leaves.map(([value]) => value);
  const expanded = mergeDuplicates(
    expandComposites(new Graph(allLeaves, [...raw.outputs].map(([name, value]) => ({ name, value })))),
  );
  const outputs = new Map(expanded.outputs.map(({ name, value }) => [name, value]));

  // Gradients, built on the forward values.
  const seeds = options.outputs.map((name) => {
    const value = outputs.get(name)!;
    return { name, value, gradient: input(`d ${name}`, "float32", value.shape) };
  });
  const wanted = [
    ...[...options.inputs.keys()].map((name): [Value, Slot] => [raw.inputs.get(name)!, { kind: "inputGradient", name }]),
    ...[...options.parameters].map((name): [Value, Slot] => [raw.parameters.get(name)!, { kind: "parameterGradient", name }]),
  ];
  const gradients = wanted.length === 0 ? [] : backward(seeds, wanted.map(([value]) => value));
  const results: { slot: Slot; value: Value; accumulator: Value | undefined }[] = [];
  wanted.forEach(([, slot], index) => {
    const gradient = gradients[index];
    if (gradient === undefined) return;
    const accumulates = slot.kind === "parameterGradient" || (slot.kind === "inputGradient" && options.inputs.get(slot.name) === "accumulate");
    const accumulator = accumulates ? input(`total ${index}`, "float32", gradient.shape) : undefined;
    results.push({ slot, value: accumulator === undefined ? gradient : add(accumulator, gradient), accumulator });
  });

  // What the backward graph reads of the forward one, and what of that is kept.
  const forwardNodes = new Set(expanded.nodes);
  const read = new Set<Value>();
  for (const node of orderNodes(results.map(({ value }) => value))) {
    if (forwardNodes.has(node)) continue;
    for (const value of node.inputs) if (value.node !== undefined && forwardNodes.has(value.node)) read.add(value);
  }
  const outputValues = new Set([...outputs.values()].filter((value) => value.node !== undefined));
  const residuals = chooseResiduals(options.policy, [...read], outputValues);

  const forwardInputs = withSizes(expanded, leavesUsed(expanded, slotOf), leaves);
  const forward = {
    graph: new Graph(
      forwardInputs.map(([value]) => value),
      [...expanded.outputs.map(({ name, value }) => ({ name: `output ${name}`, value })), ...residuals.map((value, index) => ({ name: `residual ${index}`, value }))],
    ),
    inputs: forwardInputs.map(([, slot]) => slot),
    outputs: [...[...outputs.keys()].map((name): Slot => ({ kind: "output", name })), ...residuals.map((_, index): Slot => ({ kind: "residual", index }))],
  };
  return {
    forward,
    backward: results.length === 0 ? undefined : cutBackward(),
    outputs,
    residuals,
    dropouts: raw.dropouts.map(({ mask, rate }) => ({ type: mask, rate })),
  };

  function cutBackward() {
    const cut = new Map<Value, Value>();
    const slots = new Map<Value, Slot>(slotOf);
    for (const [name, value] of outputs) {
      if (value.node === undefined) continue;
      cut.set(value, input(`output ${name}`, value.dtype, value.shape));
      slots.set(cut.get(value)!, { kind: "output", name });
    }
    residuals.forEach((value, index) => {
      cut.set(value, input(`residual ${index}`, value.dtype, value.shape));
      slots.set(cut.get(value)!, { kind: "residual", index });
    });
    for (const { name, gradient } of seeds) slots.set(gradient, { kind: "outputGradient", name });
    for (const { slot, accumulator } of results) if (accumulator !== undefined) slots.set(accumulator, slot);
    const values = substitute(results.map(({ value }) => value), cut);
    const named = values.map((value, index) => ({ name: `gradient ${index}`, value }));
    const graph = fuseAccumulation(mergeDuplicates(new Graph([...slots.keys()], named)));
    const used = withSizes(graph, leavesUsed(graph, slots), leaves);
    return { graph: new Graph(used.map(([value]) => value), graph.outputs), inputs: used.map(([, slot]) => slot), outputs: results.map(({ slot }) => slot) };
  }
}

/** The graph inputs that some node or output reads, with what they stand for. */
function leavesUsed(graph: Graph, slots: ReadonlyMap<Value, Slot>): [Value, Slot][] {
  const used = new Set<Value>([...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map(({ value }) => value)]);
  return [...slots].filter(([value]) => used.has(value));
}

/**
 * `used`, and with it block inputs that tell the sizes which no other leaf has: the gradient of a sum, for example, is spread over a shape
 * that nothing else in the backward graph need have.
 */
function withSizes(graph: Graph, used: [Value, Slot][], leaves: readonly [Value, Slot][]): [Value, Slot][] {
  const complete = [...used];
  const tells = (value: Value, name: string) => value.shape.some((dimension) => String(dimension) === name);
  const mentioned = graph.nodes.flatMap((node) => [...node.outputs.flatMap(({ shape }) => shape), ...Object.values(node.attributes).flat()]);
  for (const name of new Set(mentioned.flatMap((dimension) => (dimension instanceof SymbolicDimension ? symbolsOf(dimension) : [])))) {
    if (complete.some(([value]) => tells(value, name))) continue;
    const [smallest] = leaves.filter(([value]) => tells(value, name)).sort(([a], [b]) => a.rank - b.rank);
    if (smallest !== undefined) complete.push(smallest);
  }
  return complete;
}
