/**
 * Writes a graph as an ONNX model (onnx.proto3, opset 20). Shapes known only at run time are computed inside the model from
 * the shapes of its inputs, so one model serves every batch and length.
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { definitionOf } from "../ops/define-op.js";
import { onnxDataTypes } from "../ops/select.js";
import { toFloat16 } from "../float16.js";
import { type Dimension, sameDimension, sameShape, type Shape, SymbolicDimension } from "./dimension.js";
import type { Graph } from "./graph.js";
import type { NodeOptions, OnnxAttribute, OnnxEmitter } from "./onnx-emitter.js";
import { expandComposites, mergeDuplicates } from "./rewrite.js";
import type { ConstantData, DataType, Node, TensorType, Value } from "./value.js";

/** What our own runtime is given. */
const own = { opset: 20, ir: 10 } as const;
/** What most runtimes read; LayerNormalization came with it. */
const portable = { opset: 17, ir: 8 } as const;
/** Operators whose form here is that of a later version of the standard than `portable`. */
const laterOperators: Readonly<Record<string, number>> = { Pad: 18, ReduceMax: 18, ReduceSumSquare: 18, ReduceLogSumExp: 18 };

export interface OnnxOptions {
  /** Use ONNX Runtime's own operators where they are faster (default); off for files that other runtimes read. */
  readonly fused?: boolean;
  /** Write the oldest version of the standard that has the model's operators, for files that others read. */
  readonly portable?: boolean;
  /** metadata_props of the model. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** What symbols of shapes are called in the file, where not as here. */
  readonly dimensionNames?: Readonly<Record<string, string>>;
  /** Where the data of large constants goes; into the file itself where left out. */
  readonly external?: ExternalData;
}

/** A file beside the model that holds the data of its large constants: a protobuf message ends at 2 GB. */
export interface ExternalData {
  /** The file's name, in the model's folder. */
  readonly file: string;
  /** Constants of fewer bytes stay in the model. */
  readonly fromBytes: number;
  /** Takes the data; returns the offset at which it will lie in the file. */
  add(data: Uint8Array): number;
}

/** The model as bytes of a ModelProto; inputs and outputs keep their names and order. */
export function writeOnnx(graph: Graph, options: OnnxOptions = {}): Uint8Array {
  const fused = options.fused ?? true;
  const lowering = (node: Node) => (fused ? definitionOf(node).lowerFused : undefined) ?? definitionOf(node).lower;
  const prepared = mergeDuplicates(expandComposites(graph, (node) => lowering(node) !== undefined));
  const model = new ModelEmitter(prepared, options);
  const names = new Map<Value, string>(prepared.inputs.map((value) => [value, value.name!]));
  for (const node of prepared.nodes) {
    model.scope = node.scope;
    const inputs = node.inputs.map((value) => names.get(value)!);
    const lower = lowering(node);
    const results = lower === undefined ? model.nodes(node.op.name, inputs, defaultOptions(node)) : lower(model, inputs, node);
    node.outputs.forEach((output, index) => names.set(output, results[index]));
  }
  for (const { name, value } of prepared.outputs) model.output(name, names.get(value)!, value);
  return model.bytes();
}

/** An op without a rule of its own is the ONNX operator of its name, with its numbers as integer attributes. */
function defaultOptions(node: { attributes: Readonly<Record<string, unknown>>; outputs: readonly Value[] }): NodeOptions {
  return { attributes: node.attributes as Record<string, OnnxAttribute>, outputs: node.outputs.length };
}

class ModelEmitter implements OnnxEmitter {
  scope = "";
  readonly fused: boolean;
  private readonly initializers: Uint8Array[] = [];
  private readonly pending: PendingNode[] = [];
  private readonly outputs: { name: string; source: string; type: TensorType }[] = [];
  private readonly known = new Map<string, string>();
  private readonly symbols = new Map<string, { input: string; axis: number }>();
  private counter = 0;

  constructor(
    private readonly graph: Graph,
    private readonly options: OnnxOptions,
  ) {
    this.fused = options.fused ?? true;
    for (const value of graph.inputs) {
      value.shape.forEach((dimension, axis) => {
        if (dimension instanceof SymbolicDimension && !this.symbols.has(dimension.key)) this.symbols.set(dimension.key, { input: value.name!, axis });
      });
    }
  }

  node(type: string, inputs: readonly string[], options: Omit<NodeOptions, "outputs"> = {}): string {
    return this.nodes(type, inputs, { ...options, outputs: 1 })[0];
  }

  nodes(type: string, inputs: readonly string[], options: NodeOptions): string[] {
    const outputs = Array.from({ length: options.outputs ?? 1 }, () => `_${this.counter++}`);
    this.write(type, inputs, outputs, options);
    return outputs;
  }

  constant(dtype: DataType, shape: readonly number[], data: ConstantData, label?: string): string {
    const name = label ?? `_${this.counter++}`;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const { external } = this.options;
    const tensor = new BinaryWriter();
    for (const size of shape) tensor.uint32((1 << 3) | 0).int64(size);
    tensor.uint32((2 << 3) | 0).int32(onnxDataTypes[dtype]);
    tensor.uint32((8 << 3) | 2).string(name);
    if (external === undefined || bytes.length < external.fromBytes) tensor.uint32((9 << 3) | 2).bytes(bytes);
    else {
      const place = { location: external.file, offset: String(external.add(bytes)), length: String(bytes.length) };
      for (const [key, value] of Object.entries(place)) tensor.uint32((13 << 3) | 2).bytes(stringEntry(key, value));
      tensor.uint32((14 << 3) | 0).int32(1); // data_location: EXTERNAL
    }
    this.initializers.push(tensor.finish());
    return name;
  }

  float(value: number, dtype: DataType = "float32"): string {
    return this.once(`${dtype} ${value}`, () => {
      const wide = Float32Array.of(value);
      return this.constant(dtype, [], dtype === "float16" ? toFloat16(wide) : wide);
    });
  }

  int64(values: readonly number[]): string {
    return this.once(`int64 [${values.join(" ")}]`, () => this.constant("int64", [values.length], BigInt64Array.from(values, BigInt)));
  }

  int64Scalar(value: number): string {
    return this.once(`int64 ${value}`, () => this.constant("int64", [], BigInt64Array.of(BigInt(value))));
  }

  dimension(dimension: Dimension): string {
    if (typeof dimension === "number") return this.int64Scalar(dimension);
    return this.once(`scalar ${dimension.key}`, () => this.node("Squeeze", [this.dimensionVector(dimension), this.int64([0])]));
  }

  shape(shape: Shape): string {
    if (shape.every((dimension) => typeof dimension === "number")) return this.int64(shape);
    return this.once(`shape ${shape.join(" ")}`, () => {
      const parts = shape.map((dimension) => this.dimensionVector(dimension));
      return parts.length === 1 ? parts[0] : this.node("Concat", parts, { attributes: { axis: 0 } });
    });
  }

  reshape(name: string, from: Shape, to: Shape): string {
    if (sameShape(from, to)) return name;
    // In a Reshape 0 copies the size of the input's axis and one −1 is inferred: where that suffices, the target is a constant.
    const copied = to.map((dimension, axis) => (typeof dimension === "number" ? dimension : axis < from.length && sameDimension(dimension, from[axis]) ? 0 : -1));
    // (Beside a copied size, which may turn out 0, none can be inferred.)
    const inferred = copied.filter((size) => size === -1).length;
    const constantWillDo = (inferred === 0 || (inferred === 1 && !copied.includes(0))) && !to.includes(0);
    return constantWillDo
      ? this.node("Reshape", [name, this.int64(copied)], { attributes: { allowzero: 0 } })
      : this.node("Reshape", [name, this.shape(to)], { attributes: { allowzero: 1 } });
  }

  output(name: string, source: string, type: TensorType): void {
    this.outputs.push({ name, source, type });
  }

  bytes(): Uint8Array {
    const graph = new BinaryWriter();
    // A node that makes an output writes it under the output's name; only inputs, constants and repeated outputs are copied.
    const renamed = new Map<string, string>();
    const made = new Set(this.pending.flatMap((node) => node.outputs));
    for (const { name, source } of this.outputs) {
      if (made.has(source) && !renamed.has(source)) renamed.set(source, name);
      else this.write("Identity", [source], [name], {});
    }
    const finalName = (name: string) => renamed.get(name) ?? name;
    const read = new Set([...this.pending.flatMap(({ inputs }) => inputs), ...this.outputs.map(({ source }) => source)]);
    for (const node of this.pending) {
      // The statistics of a norm are optional, and few runtimes compute them.
      const outputs = node.type === "LayerNormalization" && !node.outputs.slice(1).some((name) => read.has(name)) ? node.outputs.slice(0, 1) : node.outputs;
      graph.uint32((1 << 3) | 2).bytes(nodeProto({ ...node, outputs }, finalName));
    }
    graph.uint32((2 << 3) | 2).string("lectern");
    for (const initializer of this.initializers) graph.uint32((5 << 3) | 2).bytes(initializer);
    const dimensionNames = this.options.dimensionNames ?? {};
    for (const value of this.graph.inputs) graph.uint32((11 << 3) | 2).bytes(valueInfo(value.name!, value, dimensionNames));
    for (const { name, type } of this.outputs) graph.uint32((12 << 3) | 2).bytes(valueInfo(name, type, dimensionNames));
    const version = this.options.portable ? portable : own;
    const opset = Math.max(version.opset, ...this.pending.map(({ type, options }) => (options.domain === undefined ? (laterOperators[type] ?? 0) : 0)));
    const domains: [string, number][] = [["", opset], ...(this.pending.some(({ options }) => options.domain) ? [["com.microsoft", 1] as [string, number]] : [])];
    const model = new BinaryWriter();
    model.uint32((1 << 3) | 0).int64(version.ir);
    model.uint32((2 << 3) | 2).string("lectern");
    model.uint32((7 << 3) | 2).bytes(graph.finish());
    for (const [domain, version] of domains) {
      const import_ = new BinaryWriter();
      import_.uint32((1 << 3) | 2).string(domain);
      import_.uint32((2 << 3) | 0).int64(version);
      model.uint32((8 << 3) | 2).bytes(import_.finish());
    }
    for (const [key, value] of Object.entries(this.options.metadata ?? {})) model.uint32((14 << 3) | 2).bytes(stringEntry(key, value));
    return model.finish();
  }

  /** A dimension as an int64 vector of one element, computed from the shapes of the graph's inputs. */
  private dimensionVector(dimension: Dimension): string {
    if (typeof dimension === "number") return this.int64([dimension]);
    return this.once(`vector ${dimension.key}`, () => {
      const source = this.symbols.get(dimension.key);
      if (source !== undefined) return this.node("Shape", [source.input], { attributes: { start: source.axis, end: source.axis + 1 } });
      const terms = dimension.terms.map(({ coefficient, atoms }) => {
        const factors = atoms.map((atom) => {
          if ("quotient" in atom) return this.node("Div", [this.dimensionVector(atom.quotient.dividend), this.int64([atom.quotient.divisor])]);
          if (!this.symbols.has(atom.symbol)) throw new Error(`internal: no input of the graph has ${atom.symbol} as a dimension, needed for ${dimension}`);
          return this.dimensionVector(new SymbolicDimension([{ coefficient: 1, atoms: [atom] }]));
        });
        if (coefficient !== 1 || factors.length === 0) factors.push(this.int64([coefficient]));
        return factors.reduce((product, factor) => this.node("Mul", [product, factor]));
      });
      return terms.reduce((total, term) => this.node("Add", [total, term]));
    });
  }

  private once(key: string, make: () => string): string {
    let name = this.known.get(key);
    if (name === undefined) this.known.set(key, (name = make()));
    return name;
  }

  private write(type: string, inputs: readonly string[], outputs: readonly string[], options: NodeOptions): void {
    this.pending.push({ type, inputs, outputs, options, scope: this.scope || "graph" });
  }
}

interface PendingNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly options: NodeOptions;
  readonly scope: string;
}

function nodeProto({ type, inputs, outputs, options, scope }: PendingNode, finalName: (name: string) => string): Uint8Array {
  const node = new BinaryWriter();
  for (const name of inputs) node.uint32((1 << 3) | 2).string(finalName(name));
  for (const name of outputs) node.uint32((2 << 3) | 2).string(finalName(name));
  node.uint32((3 << 3) | 2).string(`${scope}/${type}_${outputs[0]}`);
  node.uint32((4 << 3) | 2).string(type);
  for (const [name, attribute] of Object.entries(options.attributes ?? {})) {
    if (attribute !== undefined) node.uint32((5 << 3) | 2).bytes(attributeProto(name, attribute));
  }
  if (options.domain !== undefined) node.uint32((7 << 3) | 2).string(options.domain);
  return node.finish();
}

function attributeProto(name: string, attribute: OnnxAttribute): Uint8Array {
  const writer = new BinaryWriter();
  writer.uint32((1 << 3) | 2).string(name);
  const kind = (type: number) => writer.uint32((20 << 3) | 0).int32(type);
  if (typeof attribute === "number") {
    writer.uint32((3 << 3) | 0).int64(attribute);
    kind(2);
  } else if (typeof attribute === "string") {
    writer.uint32((4 << 3) | 2).bytes(new TextEncoder().encode(attribute));
    kind(3);
  } else if ("float" in attribute) {
    writer.uint32((2 << 3) | 5).float(attribute.float);
    kind(1);
  } else {
    for (const item of attribute) writer.uint32((8 << 3) | 0).int64(item);
    kind(7);
  }
  return writer.finish();
}

/** A StringStringEntryProto. */
function stringEntry(key: string, value: string): Uint8Array {
  return new BinaryWriter()
    .uint32((1 << 3) | 2)
    .string(key)
    .uint32((2 << 3) | 2)
    .string(value)
    .finish();
}

function valueInfo(name: string, { dtype, shape }: TensorType, dimensionNames: Readonly<Record<string, string>>): Uint8Array {
  const dimensions = new BinaryWriter();
  for (const dimension of shape) {
    const proto = new BinaryWriter();
    if (typeof dimension === "number") proto.uint32((1 << 3) | 0).int64(dimension);
    else proto.uint32((2 << 3) | 2).string(dimensionNames[dimension.key] ?? dimension.key);
    dimensions.uint32((1 << 3) | 2).bytes(proto.finish());
  }
  const tensor = new BinaryWriter();
  tensor.uint32((1 << 3) | 0).int32(onnxDataTypes[dtype]);
  tensor.uint32((2 << 3) | 2).bytes(dimensions.finish());
  const type = new BinaryWriter();
  type.uint32((1 << 3) | 2).bytes(tensor.finish());
  const info = new BinaryWriter();
  info.uint32((1 << 3) | 2).string(name);
  info.uint32((2 << 3) | 2).bytes(type.finish());
  return info.finish();
}
