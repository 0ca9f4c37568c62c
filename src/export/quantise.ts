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
  const columns = once(quantisedColumns);
  const rows = once(quantisedRows);
  return rewriteGraph(graph, (node) => {
    if (node.op === (Linear as unknown)) {
      const [x, weight, bias] = node.inputs;
      const constant = constantOf(weight);
      if (constant === undefined || options.keep?.(constant.label ?? "")) return undefined;
      const range = options.ranges?.get(constant.label ?? "");
      const activations = range === undefined ? dynamicallyQuantised(x) : fixed(x, range);
      const { integers, scales } = columns(weight);
      return [quantisedLinear(activations, integers, scales, bias)];
    }
    if (node.op === (Embedding as unknown)) {
      const [table, ids] = node.inputs;
      const constant = constantOf(table);
      if (constant === undefined || constant.shape[0] < largeTable) return undefined;
      const { integers, scales } = rows(table);
      return [mul(cast(embedding(integers, ids), "float32"), embedding(scales, ids))];
    }
    return undefined;
  });
}

function fixed(x: Value, { low, high }: ActivationRange): Quantised {
  const [from, to] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = Math.max(to - from, 1e-12) / 255;
  return quantised(x, scalar(scale), scalar(Math.round(-from / scale), "uint8"));
}

interface QuantisedConstant {
  readonly integers: Value;
  readonly scales: Value;
}

/** A weight that several layers share is quantised once, and is one constant in the file. */
function once(quantise: (constant: Value) => QuantisedConstant): (constant: Value) => QuantisedConstant {
  const made = new Map<Value, QuantisedConstant>();
  return (constant) => {
    if (!made.has(constant)) made.set(constant, quantise(constant));
    return made.get(constant)!;
  };
}

/** [outputs, inputs] → int8 [inputs, outputs], the layout of MatMul, with a scale for each output. */
function quantisedColumns(weight: Value): QuantisedConstant {
  const { data, shape, label = "" } = constantOf(weight)!;
  const [outputs, inputs] = shape;
  const weights = data as Float32Array;
  const integers = new Int8Array(weights.length);
  const scales = new Float32Array(outputs);
  for (let row = 0; row < outputs; row++) {
    const scale = (scales[row] = scaleOf(weights.subarray(row * inputs, (row + 1) * inputs)));
    for (let column = 0; column < inputs; column++) integers[column * outputs + row] = Math.round(weights[row * inputs + column] / scale);
  }
  return {
    integers: constantView("int8", [inputs, outputs], integers, `${label}_quantized`),
    scales: constantView("float32", [outputs], scales, `${label}_scale`),
  };
}

/** The same for rows: [rows, width] → int8 [rows, width], with a scale for each row. */
function quantisedRows(weight: Value): QuantisedConstant {
  const { data, shape, label = "" } = constantOf(weight)!;
  const [rows, width] = shape;
  const table = data as Float32Array;
  const integers = new Int8Array(table.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const scale = (scales[row] = scaleOf(table.subarray(row * width, (row + 1) * width)));
    for (let at = row * width; at < (row + 1) * width; at++) integers[at] = Math.round(table[at] / scale);
  }
  return {
    integers: constantView("int8", [rows, width], integers, `${label}_quantized`),
    scales: constantView("float32", [rows, 1], scales, `${label}_scale`),
  };
}

function scaleOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return Math.fround(largest / 127) || 1;
}
