/**
 * Ranges of the inputs of linear layers over calibration data, for static quantisation: the smallest and largest value of each, or quantiles
 * of a histogram between the two, which spend the 255 steps on where almost all values lie.
 */
import { Graph, max, neg, type Program, type Runtime, type Tensor, type Value } from "../engine/index.js";
import { allocateTensor } from "../engine/index.js";
import { evaluateShape } from "../engine/graph/dimension.js";
import { constantOf } from "../engine/ops/constant.js";
import { Linear } from "../engine/ops/matmul.js";
import { collate, groupByLength } from "../tasks/extractive/collate.js";
import type { Feature } from "../tasks/extractive/features.js";
import type { Reader } from "../tasks/extractive/reader.js";
import type { ActivationRange } from "./quantise.js";

export interface CalibrationOptions {
  /** Share of the values that is cut off at either end; 0 keeps them all (min-max). */
  readonly cutOff: number;
}

const bins = 4096;

/** The range of what the linear layers read, by the name of their weight. */
export async function calibrate(
  runtime: Runtime,
  graph: Graph,
  reader: Reader,
  features: readonly Feature[],
  { cutOff }: CalibrationOptions,
): Promise<Map<string, ActivationRange>> {
  const layers = new Map<string, Value[]>();
  for (const node of graph.nodes) {
    const label = node.op === (Linear as unknown) ? constantOf(node.inputs[1])?.label : undefined;
    if (label !== undefined) layers.set(label, [...(layers.get(label) ?? []), node.inputs[0]]);
  }
  const read = [...new Set([...layers.values()].flat())];
  const extremes = read.flatMap((value, index) => [
    { name: `high ${index}`, value: max(value) },
    { name: `low ${index}`, value: neg(max(neg(value))) },
  ]);
  const ranges = read.map(() => ({ low: Infinity, high: -Infinity }));
  await overData(runtime, new Graph(graph.inputs, extremes), reader, features, (outputs) => {
    ranges.forEach((range, index) => {
      range.high = Math.max(range.high, outputs[2 * index][0]);
      range.low = Math.min(range.low, outputs[2 * index + 1][0]);
    });
  });
  if (cutOff > 0) {
    const histograms = read.map(() => new Float64Array(bins));
    const whole = new Graph(
      graph.inputs,
      read.map((value, index) => ({ name: `values ${index}`, value })),
    );
    await overData(runtime, whole, reader, features, (outputs) =>
      outputs.forEach((values, index) => {
        const { low, high } = ranges[index];
        const perUnit = bins / Math.max(high - low, 1e-12);
        for (const value of values) histograms[index][Math.min(Math.floor((value - low) * perUnit), bins - 1)]++;
      }),
    );
    ranges.forEach((range, index) => Object.assign(range, quantiles(histograms[index], range, cutOff)));
  }
  return new Map([...layers].map(([label, values]) => [label, covering(values.map((value) => ranges[read.indexOf(value)]))]));
}

/** The range that covers all of them: what layers that share a weight read. */
function covering(ranges: readonly ActivationRange[]): ActivationRange {
  return { low: Math.min(...ranges.map(({ low }) => low)), high: Math.max(...ranges.map(({ high }) => high)) };
}

/** The edges between which all but `cutOff` of the values lie at either end. */
function quantiles(histogram: Float64Array, { low, high }: ActivationRange, cutOff: number): ActivationRange {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  const width = (high - low) / bins;
  let [first, last, below, above] = [0, bins - 1, 0, 0];
  while (first < last && below + histogram[first] <= cutOff * total) below += histogram[first++];
  while (last > first && above + histogram[last] <= cutOff * total) above += histogram[last--];
  return { low: low + first * width, high: low + (last + 1) * width };
}

/** Runs the graph over windows, each batch of one length: padding would be counted as if it were text. */
async function overData(
  runtime: Runtime,
  graph: Graph,
  { encoder, tokenizer }: Reader,
  features: readonly Feature[],
  onOutputs: (outputs: Float32Array[]) => void,
): Promise<void> {
  const program: Program = await runtime.compile(graph, { name: "calibration" });
  const byLength = new Map<number, Feature[]>();
  for (const feature of features) byLength.set(feature.length, [...(byLength.get(feature.length) ?? []), feature]);
  try {
    for (const group of byLength.values()) {
      for (const indices of groupByLength(
        group.map(({ length }) => length),
        8,
        1024,
      )) {
        const { bindings, inputs } = collate(
          indices.map((index) => group[index]),
          encoder,
          { weight: 0, padTypeId: tokenizer.padTypeId },
        );
        const tensors: Tensor[] = [];
        const tensor = (value: Value): Tensor => {
          tensors.push(allocateTensor(runtime, value.dtype, evaluateShape(value.shape, bindings)));
          return tensors.at(-1)!;
        };
        const given = graph.inputs.map((value) => {
          const made = tensor(value);
          (made.data as BigInt64Array).set(inputs[value.name!] as BigInt64Array);
          return made;
        });
        const results = graph.outputs.map(({ value }) => tensor(value));
        await program.run(given, results);
        onOutputs(results.map(({ data }) => data as Float32Array));
        for (const one of tensors) one.release();
      }
    }
  } finally {
    program.release();
  }
}
