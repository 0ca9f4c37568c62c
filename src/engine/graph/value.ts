/**
 * Values and the nodes that make them: an immutable graph, built by calling op functions on values. A graph is never
 * edited; every transformation (expansion, gradients, fusion) builds a new one.
 */
import { type Dimension, printShape, type Shape } from "./dimension.js";

export type DataType = "float32" | "int64" | "int32" | "bool" | "uint8" | "int8" | "float16";

export interface TensorType {
  readonly dtype: DataType;
  readonly shape: Shape;
}

/** One tensor of a graph: an input (no node) or one of the outputs of a node. */
export class Value implements TensorType {
  constructor(
    readonly dtype: DataType,
    readonly shape: Shape,
    readonly node: Node | undefined,
    readonly index: number,
    readonly name: string | undefined,
  ) {}
  get rank(): number {
    return this.shape.length;
  }
  toString(): string {
    return `${this.name ?? this.node?.op.name ?? "value"}: ${this.dtype}${printShape(this.shape)}`;
  }
}

export type Attribute = number | boolean | string | readonly number[] | Dimension | Shape | ConstantData | undefined;
export type Attributes = Readonly<Record<string, Attribute>>;
/** Float16 as its bits. */
export type ConstantData = Float32Array | BigInt64Array | Int32Array | Uint8Array | Int8Array | Uint16Array;

/** One application of an op. `scope` is the path of the layer that made it, for errors and profiles. */
export class Node {
  readonly outputs: readonly Value[];
  constructor(
    readonly op: Op,
    readonly inputs: readonly Value[],
    readonly attributes: Attributes,
    readonly scope: string,
    types: readonly TensorType[],
  ) {
    this.outputs = types.map((type, index) => new Value(type.dtype, type.shape, this, index, undefined));
  }
}

/** What a graph needs to know of an op; `defineOp` makes it. */
export interface Op {
  readonly name: string;
}

/** An input of a graph, by name. */
export function input(name: string, dtype: DataType, shape: Shape): Value {
  return new Value(dtype, shape, undefined, 0, name);
}

let currentScope = "";

/** Runs `build` with `name` appended to the path that errors and profiles show. */
export function withScope<T>(name: string, build: () => T): T {
  const outer = currentScope;
  currentScope = outer === "" ? name : `${outer}.${name}`;
  try {
    return build();
  } finally {
    currentScope = outer;
  }
}

export function scopeNow(): string {
  return currentScope;
}
