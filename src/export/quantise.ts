/**
 * Post-training quantisation of a reader's graph. Linear layers multiply integers: weights are int8, symmetric, with a scale for each output
 * (w ≈ s·q, s = max|w|/127), activations uint8 with a scale of the batch's own range (dynamic) or a calibrated one (static). Word embeddings
 * are kept as int8 with a scale for each row, and scaled after they are looked up.
 */
import { Embedding } from "../engine/ops/embedding.js";
import {
  cast,
  constantOf,
  constantView,
  dynamicallyQuantised,
  embedding,
  type Graph,
  mul,
  quantised,
  type Quantised,
  quantisedLinear,
  rewriteGraph,
  scalar,
  type Value,
} from "../engine/index.js";
import { Linear } from "../engine/ops/matmul.js";

/** The range of a layer's inputs, fixed by calibration. */
export interface ActivationRange {
  readonly low: number;
  readonly high: number;
}

export interface QuantiseOptions {
  /** Fixed ranges by the layer's weight; a layer without one is quantised dynamically. */
  readonly ranges?: ReadonlyMap<string, ActivationRange>;
  /** Layers that stay in float32, by their weight's name. */
  readonly keep?: (weight: string) => boolean;
}

/** Smaller tables, of positions and types, stay in float32: they are no size. */
const largeTable = 1000;

/** The graph with its linear layers, and its large tables of embeddings, in 8 bits. */
export function quantiseGraph(graph: Graph, options: QuantiseOptions): Graph {
  return rewriteGraph(graph, (node) => {
    if (node.op === (Linear as unknown)) {
      const [x, weight, bias] = node.inputs;
      const constant = constantOf(weight);
      if (constant === undefined || options.keep?.(constant.label ?? "")) return undefined;
      const [outputs, inputs] = constant.shape;
      const { integers, scales } = quantiseColumns(constant.data as Float32Array, outputs, inputs);
      const label = constant.label ?? "";
      const range = options.ranges?.get(label);
      const activations = range === undefined ? dynamicallyQuantised(x) : fixed(x, range);
      const w = constantView("int8", [inputs, outputs], integers, `${label}_quantized`);
      return [quantisedLinear(activations, w, constantView("float32", [outputs], scales, `${label}_scale`), bias)];
    }
    if (node.op === (Embedding as unknown)) {
      const [table, ids] = node.inputs;
      const constant = constantOf(table);
      if (constant === undefined || constant.shape[0] < largeTable) return undefined;
      const [rows, width] = constant.shape;
      const { integers, scales } = quantiseRows(constant.data as Float32Array, rows, width);
      const t = constantView("int8", [rows, width], integers, `${constant.label}_quantized`);
      const s = constantView("float32", [rows, 1], scales, `${constant.label}_scale`);
      return [mul(cast(embedding(t, ids), "float32"), embedding(s, ids))];
    }
    return undefined;
  });
}

function fixed(x: Value, { low, high }: ActivationRange): Quantised {
  const [from, to] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = Math.max(to - from, 1e-12) / 255;
  return quantised(x, scalar(scale), scalar(Math.round(-from / scale), "uint8"));
}

/** [outputs, inputs] → int8 [inputs, outputs], the layout of MatMul, with a scale for each output. */
function quantiseColumns(weights: Float32Array, outputs: number, inputs: number): { integers: Int8Array; scales: Float32Array } {
  const integers = new Int8Array(weights.length);
  const scales = new Float32Array(outputs);
  for (let row = 0; row < outputs; row++) {
    const scale = (scales[row] = scaleOf(weights.subarray(row * inputs, (row + 1) * inputs)));
    for (let column = 0; column < inputs; column++) integers[column * outputs + row] = Math.round(weights[row * inputs + column] / scale);
  }
  return { integers, scales };
}

function quantiseRows(table: Float32Array, rows: number, width: number): { integers: Int8Array; scales: Float32Array } {
  const integers = new Int8Array(table.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const scale = (scales[row] = scaleOf(table.subarray(row * width, (row + 1) * width)));
    for (let at = row * width; at < (row + 1) * width; at++) integers[at] = Math.round(table[at] / scale);
  }
  return { integers, scales };
}

function scaleOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return Math.fround(largest / 127) || 1;
}
