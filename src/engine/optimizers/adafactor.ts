/**
 * Adafactor (Shazeer & Stern 2018) with the arithmetic of transformers.optimization.Adafactor: the second moment of a matrix is
 * kept as the means of its rows and columns. Each parameter is updated as a whole, since its update is scaled by its own norm.
 */
import type { ParameterGroup, ParameterStore, StoredParameter } from "../block/parameter-store.js";
import { type Shape, symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input, type Value } from "../graph/value.js";
import { add, div, maximum, mul, sub } from "../ops/arithmetic.js";
import { sqrt, square } from "../ops/elementwise.js";
import { mean } from "../ops/reduction.js";
import { reshape } from "../ops/shape.js";
import { allocateTensor, type Command, type Memory, type Program, type Runtime, type Tensor } from "../runtime/runtime.js";
import type { Optimizer, StateTensor } from "./optimizer.js";
import { sharedQueue } from "../runtime/shared-queue.js";

export interface AdafactorSettings {
  /** Added to squared gradients; 1e-30. */
  readonly epsilonSquared?: number;
  /** The least scale of a parameter, where `scaleParameter`; 1e-3. */
  readonly epsilonScale?: number;
  /** The root mean square an update may have; 1. */
  readonly clipThreshold?: number;
  /** The second moment of step t is kept by 1 − t^decayRate; −0.8. */
  readonly decayRate?: number;
  /** Decay of the mean of updates; no first moment where left out. */
  readonly beta1?: number;
  readonly weightDecay?: number;
  /** Multiply the rate with the parameter's root mean square; false. */
  readonly scaleParameter?: boolean;
  /** Take min(1e-2, 1/√t) for the rate and ignore the schedule's; false. */
  readonly relativeStep?: boolean;
  /** Let the relative rate rise by 1e-6 a step; false. */
  readonly warmupInit?: boolean;
}

const scalarNames = ["gradientScale", "rate", "kept"] as const;
type Scalars = Readonly<Record<(typeof scalarNames)[number], Value>>;

/** Compiles Adafactor for the trainable parameters of `store`. */
export async function createAdafactor(runtime: Runtime, store: ParameterStore, settings: AdafactorSettings): Promise<Optimizer> {
  const { decayRate = -0.8, relativeStep = false, warmupInit = false, weightDecay = 0 } = settings;
  const scalars = scalarNames.map(() => allocateTensor(runtime, "float32", []));
  const programs = new Map<string, Program>();
  const states: StateTensor[] = [];
  const views: Tensor[] = [];
  const memories: Memory[] = [];

  const prepare = async (parameter: StoredParameter, group: ParameterGroup): Promise<Command> => {
    const { shape } = parameter.declaration;
    const factored = shape.length >= 2;
    const decay = group.decay && weightDecay !== 0;
    const key = `${factored ? "factored" : "whole"} ${decay}`;
    if (!programs.has(key)) {
      const graph = updateGraph(settings, factored, decay ? weightDecay : 0);
      programs.set(key, await runtime.compile(graph, { name: "adafactor update" }));
    }
    const view = (memory: "weights" | "gradients") => {
      const tensor = runtime.tensor(store[memory]!, parameter.offset * 4, "float32", workingShape(shape));
      views.push(tensor);
      return tensor;
    };
    const own = stateShapes(shape, settings.beta1 !== undefined).map(([name, saved, working]) => {
      const memory = runtime.allocate(saved.reduce((product, size) => product * size, 4));
      memories.push(memory);
      states.push({ name: `${parameter.name}.${name}`, tensor: runtime.tensor(memory, 0, "float32", saved) });
      const tensor = runtime.tensor(memory, 0, "float32", working);
      views.push(tensor);
      return tensor;
    });
    const weights = view("weights");
    return { do: "run", program: programs.get(key)!, inputs: [weights, view("gradients"), ...own, ...scalars], outputs: [weights, ...own] };
  };

  const queue = sharedQueue();
  const runs: Command[] = [];
  for (const group of store.groups) for (const parameter of group.parameters) runs.push(await prepare(parameter, group));
  const optimizer: Optimizer = {
    name: "adafactor",
    step: 0,
    async update({ rate, gradientScale = 1 }) {
      const step = optimizer.step + 1;
      const values = {
        gradientScale,
        rate: relativeStep ? Math.min(warmupInit ? 1e-6 * step : 1e-2, 1 / Math.sqrt(step)) : rate,
        kept: 1 - step ** decayRate,
      };
      scalarNames.forEach((name, at) => (scalars[at].data[0] = values[name]));
      await queue.submit(runs);
      optimizer.step = step;
    },
    state: () => states,
    release: () => {
      for (const program of programs.values()) program.release();
      for (const tensor of [...views, ...states.map((state) => state.tensor), ...scalars]) tensor.release();
      for (const memory of memories) memory.release();
    },
  };
  return optimizer;
}

/** Every matrix is one of a stack: [a, b, c, d] is computed as [a·b, c, d]. */
function workingShape(shape: readonly number[]): number[] {
  const stacked = shape.slice(0, -2).reduce((product, size) => product * size, 1);
  return shape.length >= 2 ? [stacked, ...shape.slice(-2)] : [shape[0] ?? 1];
}

/** Name, shape as transformers keeps it, and shape as it is computed with. */
function stateShapes(
  shape: readonly number[],
  firstMoment: boolean,
): [name: string, saved: readonly number[], working: readonly number[]][] {
  const working = workingShape(shape);
  const [stack, rows, columns] = working;
  return [
    ...(firstMoment ? ([["exp_avg", shape, working]] as [string, readonly number[], number[]][]) : []),
    ...(shape.length >= 2
      ? ([
          ["exp_avg_sq_row", shape.slice(0, -1), [stack, rows]],
          ["exp_avg_sq_col", [...shape.slice(0, -2), columns], [stack, columns]],
        ] as [string, readonly number[], number[]][])
      : ([["exp_avg_sq", shape, working]] as [string, readonly number[], number[]][])),
  ];
}

/** Inputs: parameter, gradient, states, scalars; outputs: parameter, states. */
function updateGraph(settings: AdafactorSettings, factored: boolean, weightDecay: number): Graph {
  const { epsilonSquared = 1e-30, epsilonScale = 1e-3, clipThreshold = 1, beta1, scaleParameter = false } = settings;
  const shape: Shape = factored ? [symbol("stack"), symbol("rows"), symbol("columns")] : [symbol("length")];
  const [parameter, gradient] = ["parameter", "gradient"].map((name) => input(name, "float32", shape));
  const scalars = Object.fromEntries(scalarNames.map((name) => [name, input(name, "float32", [])])) as unknown as Scalars;
  const average = beta1 === undefined ? undefined : input("exp_avg", "float32", shape);

  const g = mul(gradient, scalars.gradientScale);
  const moments = factored ? factoredMoments(g, epsilonSquared, scalars.kept, shape) : wholeMoments(g, epsilonSquared, scalars.kept, shape);
  const clipped = div(moments.direction, maximum(div(rootMeanSquare(moments.direction), clipThreshold), 1));
  const rate = scaleParameter ? mul(scalars.rate, maximum(rootMeanSquare(parameter), epsilonScale)) : scalars.rate;
  const step = mul(clipped, rate);
  const change = average === undefined ? step : add(mul(average, beta1!), mul(step, 1 - beta1!));
  const kept = weightDecay === 0 ? parameter : sub(parameter, mul(parameter, mul(rate, weightDecay)));
  const averages = average === undefined ? [] : [{ before: average, after: change }];
  const states = [...averages, ...moments.states];
  return new Graph(
    [parameter, gradient, ...states.map(({ before }) => before), ...Object.values(scalars)],
    [{ name: "parameter'", value: sub(kept, change) }, ...states.map(({ before, after }) => ({ name: `${before.name}'`, value: after }))],
  );
}

interface Moments {
  /** The gradient divided by the root of its second moment. */
  readonly direction: Value;
  readonly states: readonly { before: Value; after: Value }[];
}

/** v ← βv + (1−β)(g² + ε); g/√v */
function wholeMoments(g: Value, epsilon: number, kept: Value, shape: Shape): Moments {
  const before = input("exp_avg_sq", "float32", shape);
  const after = decayed(before, add(square(g), epsilon), kept);
  return { direction: div(g, sqrt(after)), states: [{ before, after }] };
}

/**
 * Row means r and column means c decay as v does above; v ≈ r·cᵀ/mean(r). Roots are taken before dividing: r/mean(r) of a row
 * that has never had a gradient is below the smallest normal float32.
 */
function factoredMoments(g: Value, epsilon: number, kept: Value, [stack, rows, columns]: Shape): Moments {
  const squared = add(square(g), epsilon);
  const [row, column] = [input("exp_avg_sq_row", "float32", [stack, rows]), input("exp_avg_sq_col", "float32", [stack, columns])];
  const [r, c] = [decayed(row, mean(squared, [2]), kept), decayed(column, mean(squared, [1]), kept)];
  const rowFactor = div(sqrt(mean(r, [1], { keepDimensions: true })), sqrt(r));
  const direction = mul(div(g, reshape(sqrt(c), [stack, 1, columns])), reshape(rowFactor, [stack, rows, 1]));
  return {
    direction,
    states: [
      { before: row, after: r },
      { before: column, after: c },
    ],
  };
}

function decayed(average: Value, value: Value, kept: Value): Value {
  return add(mul(average, kept), mul(value, sub(1, kept)));
}

function rootMeanSquare(x: Value): Value {
  return sqrt(mean(square(x)));
}
