/**
 * Turns a graph into ONNX nodes. Every op's `lower` calls this interface; shapes that are only known at run time are
 * computed from the shapes of the graph's inputs, once each.
 */
import type { Dimension, Shape } from "./dimension.js";
import type { ConstantData, DataType } from "./value.js";

export type OnnxAttribute = number | { readonly float: number } | string | readonly number[];

export interface NodeOptions {
  readonly domain?: "com.microsoft";
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly outputs?: number;
}

export interface OnnxEmitter {
  /** False where only operators of the standard domain may be used (exports for other runtimes). */
  readonly fused: boolean;
  /** Adds a node with one output; returns the output's name. An empty input name is an absent optional input. */
  node(type: string, inputs: readonly string[], options?: Omit<NodeOptions, "outputs">): string;
  /** Adds a node with several outputs. */
  nodes(type: string, inputs: readonly string[], options: NodeOptions): string[];
  /** `label` names it in the file; it must be the only one of that name. */
  constant(dtype: DataType, shape: readonly number[], data: ConstantData, label?: string): string;
  /** A scalar of a floating type; float32 where it is left out. */
  float(value: number, dtype?: DataType): string;
  int64(values: readonly number[]): string;
  int64Scalar(value: number): string;
  /** The size of a dimension as an int64 scalar. */
  dimension(dimension: Dimension): string;
  /** A shape as an int64 vector. */
  shape(shape: Shape): string;
  /** The same elements under another shape; nothing is emitted where the shapes are the same. */
  reshape(name: string, from: Shape, to: Shape): string;
}
