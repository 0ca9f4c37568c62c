/**
 * Optimizers that treat every element alike walk the flat memories of parameters, gradients and state in pieces: each operator's
 * result is still in the cache when the next one reads it, where whole arrays would go through memory once an operator.
 */
import type { ParameterStore } from "../block/parameter-store.js";
import { symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input, type Value } from "../graph/value.js";
import { allocateTensor, bytesPerElement, type Program, type Runtime } from "../runtime/runtime.js";
import type { Optimizer, OptimizerSettings, StateTensor } from "./optimizer.js";
import { pieceLength, piecesOf, shortRuns } from "../runtime/short-runs.js";

/** The update of one element, for all of them. */
export interface FlatRule {
  readonly name: OptimizerSettings["name"];
  /** Names of the state tensors, which are as large as the parameters and start at 0. */
  readonly states: readonly string[];
  /** Whether groups with weight decay are updated otherwise than those without. */
  readonly decays: boolean;
  /** What changes from step to step; the first step is 1. */
  readonly scalars: (options: { rate: number; gradientScale: number; step: number }) => Readonly<Record<string, number>>;
  readonly build: (from: {
    parameter: Value;
    gradient: Value;
    states: readonly Value[];
    scalars: Readonly<Record<string, Value>>;
    decay: boolean;
  }) => { parameter: Value; states: readonly Value[] };
}

/** Compiles `rule` for the groups of `store`. */
export async function createFlatOptimizer(
  runtime: Runtime,
  store: ParameterStore,
  rule: FlatRule,
  piece = pieceLength,
): Promise<Optimizer> {
  const scalarNames = Object.keys(rule.scalars({ rate: 0, gradientScale: 1, step: 1 }));
  const scalars = scalarNames.map(() => allocateTensor(runtime, "float32", []));
  const stateMemories = rule.states.map(() => runtime.allocate(store.trainedLength * bytesPerElement.float32));
  const memories = [store.weights, store.gradients!, ...stateMemories];
  const programs = new Map<boolean, Program>();
  for (const decay of new Set(store.groups.map((group) => group.decay && rule.decays))) {
    programs.set(decay, await runtime.compile(updateGraph(rule, scalarNames, decay), { name: `${rule.name} update`, singleThreaded: true }));
  }
  // Tensors over all pieces are made once: a step allocates nothing.
  const pieces = store.groups.flatMap((group) =>
    piecesOf(group, piece).map(({ start, length }) => {
      const tensors = memories.map((memory) => runtime.tensor(memory, start * bytesPerElement.float32, "float32", [length]));
      return {
        do: "run" as const,
        program: programs.get(group.decay && rule.decays)!,
        tensors,
        inputs: [...tensors, ...scalars],
        outputs: tensors.filter((_, at) => at !== 1),
      };
    }),
  );
  const states = store.groups.flatMap(({ parameters }) =>
    parameters.flatMap(({ name, offset, declaration }) =>
      rule.states.map((state, at): StateTensor => {
        const tensor = runtime.tensor(stateMemories[at], offset * bytesPerElement.float32, "float32", declaration.shape);
        return { name: `${name}.${state}`, tensor };
      }),
    ),
  );
  const optimizer: Optimizer = {
    name: rule.name,
    step: 0,
    async update({ rate, gradientScale = 1 }) {
      const values = rule.scalars({ rate, gradientScale, step: optimizer.step + 1 });
      scalarNames.forEach((name, at) => (scalars[at].data[0] = values[name]));
      await shortRuns(runtime, pieces);
      optimizer.step++;
    },
    state: () => states,
    release: () => {
      for (const program of programs.values()) program.release();
      for (const tensor of [...pieces.flatMap(({ tensors }) => tensors), ...states.map(({ tensor }) => tensor), ...scalars])
        tensor.release();
      for (const memory of stateMemories) memory.release();
    },
  };
  return optimizer;
}

/** Inputs: parameter, gradient, states, scalars; outputs: parameter, states. */
function updateGraph(rule: FlatRule, scalarNames: readonly string[], decay: boolean): Graph {
  const vector = (name: string) => input(name, "float32", [symbol("length")]);
  const [parameter, gradient, ...states] = ["parameter", "gradient", ...rule.states].map(vector);
  const scalars = Object.fromEntries(scalarNames.map((name) => [name, input(name, "float32", [])]));
  const updated = rule.build({ parameter, gradient, states, scalars, decay });
  return new Graph(
    [parameter, gradient, ...states, ...Object.values(scalars)],
    [{ name: "parameter'", value: updated.parameter }, ...updated.states.map((value, at) => ({ name: `${rule.states[at]}'`, value }))],
  );
}
