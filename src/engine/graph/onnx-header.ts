/**
 * What an ONNX file says of itself, without its weights being copied: inputs, outputs, metadata, and the names of the files that hold its
 * external data (field numbers: onnx.proto3). Every length is checked against the file's own, and subgraphs are followed to a fixed depth,
 * so that a truncated or hostile file ends in an error.
 */
import { eachField } from "../../files/protobuf-fields.js";
import { onnxDataTypes } from "../ops/select.js";
import type { DataType } from "./value.js";

export interface OnnxValue {
  readonly name: string;
  /** Undefined for an element type that the engine has no name for. */
  readonly dtype: DataType | undefined;
  /** Sizes, or what the file calls them; undefined where it does not say. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OnnxHeader {
  /** Without those that have a default among the weights. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Version of each domain of operators; the standard's is "". */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Locations of external data as the file gives them, unchecked. */
  readonly externalFiles: readonly string[];
}

/** Graphs within graphs that are looked into. */
const deepest = 16;
const dataTypes = new Map(Object.entries(onnxDataTypes).map(([name, number]) => [number, name as DataType]));

/** Reads a ModelProto's description of itself. Throws an Error that says what is wrong where the bytes are no such message. */
export function readOnnxHeader(model: Uint8Array): OnnxHeader {
  let graph: Uint8Array | undefined;
  const opsets: Record<string, number> = {};
  const metadata: Record<string, string> = {};
  const functions: Uint8Array[] = [];
  eachField(model, {
    7: (reader) => (graph = reader.bytes()),
    8: (reader) => {
      let [domain, version] = ["", 0];
      eachField(reader.bytes(), { 1: (field) => (domain = field.string()), 2: (field) => (version = Number(field.int64())) });
      opsets[domain] = version;
    },
    14: (reader) => {
      const [key, value] = stringEntry(reader.bytes());
      metadata[key] = value;
    },
    25: (reader) => functions.push(reader.bytes()),
  });
  if (graph === undefined) throw new Error("it has no graph");
  const externalFiles = new Set<string>();
  const weights = new Set<string>();
  collectExternal(graph, externalFiles, weights, 0);
  for (const body of functions) eachField(body, { 7: (reader) => nodeExternal(reader.bytes(), externalFiles, 0) });
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  eachField(graph, {
    11: (reader) => inputs.push(valueInfo(reader.bytes())),
    12: (reader) => outputs.push(valueInfo(reader.bytes())),
  });
  if (outputs.length === 0) throw new Error("its graph has no outputs");
  return { inputs: inputs.filter(({ name }) => !weights.has(name)), outputs, opsets, metadata, externalFiles: [...externalFiles] };
}

function stringEntry(message: Uint8Array): [string, string] {
  let [key, value] = ["", ""];
  eachField(message, { 1: (reader) => (key = reader.string()), 2: (reader) => (value = reader.string()) });
  return [key, value];
}

function valueInfo(message: Uint8Array): OnnxValue {
  let name = "";
  let type = 0;
  let shape: (number | string)[] | undefined;
  const dimension = (bytes: Uint8Array): number | string => {
    let size: number | string = "";
    eachField(bytes, { 1: (reader) => (size = Number(reader.int64())), 2: (reader) => (size = reader.string()) });
    return size;
  };
  const tensor = (bytes: Uint8Array): void =>
    eachField(bytes, {
      1: (reader) => (type = reader.int32()),
      2: (reader) => {
        const sizes: (number | string)[] = (shape = []);
        eachField(reader.bytes(), { 1: (field) => sizes.push(dimension(field.bytes())) });
      },
    });
  eachField(message, {
    1: (reader) => (name = reader.string()),
    2: (reader) => eachField(reader.bytes(), { 1: (field) => tensor(field.bytes()) }),
  });
  return { name, dtype: dataTypes.get(type), shape };
}

function collectExternal(graph: Uint8Array, files: Set<string>, weights: Set<string>, depth: number): void {
  if (depth > deepest) throw new Error(`its graphs lie more than ${deepest} deep in one another`);
  eachField(graph, {
    1: (reader) => nodeExternal(reader.bytes(), files, depth),
    5: (reader) => weights.add(tensorExternal(reader.bytes(), files)),
    15: (reader) => sparseExternal(reader.bytes(), files),
  });
}

function nodeExternal(node: Uint8Array, files: Set<string>, depth: number): void {
  const attribute = (bytes: Uint8Array): void =>
    eachField(bytes, {
      5: (reader) => tensorExternal(reader.bytes(), files),
      6: (reader) => collectExternal(reader.bytes(), files, new Set(), depth + 1),
      10: (reader) => tensorExternal(reader.bytes(), files),
      11: (reader) => collectExternal(reader.bytes(), files, new Set(), depth + 1),
      22: (reader) => sparseExternal(reader.bytes(), files),
      23: (reader) => sparseExternal(reader.bytes(), files),
    });
  eachField(node, { 5: (reader) => attribute(reader.bytes()) });
}

/** SparseTensorProto: its values and indices are tensors. */
function sparseExternal(message: Uint8Array, files: Set<string>): void {
  eachField(message, { 1: (reader) => tensorExternal(reader.bytes(), files), 2: (reader) => tensorExternal(reader.bytes(), files) });
}

/** Adds the tensor's location, if it has one; returns its name. */
function tensorExternal(tensor: Uint8Array, files: Set<string>): string {
  let name = "";
  eachField(tensor, {
    8: (reader) => (name = reader.string()),
    13: (reader) => {
      const [key, value] = stringEntry(reader.bytes());
      if (key === "location") files.add(value);
    },
  });
  return name;
}
