/**
 * Writes safetensors files byte for byte as Python's safetensors does: the tensors sorted by type, widest first, then by name; the header
 * compact JSON padded with spaces to a multiple of 8 bytes; `{"format": "pt"}` as metadata unless another is given. A tensor's data may be
 * given as a function, called when its turn comes, so that a model is converted holding one tensor at a time.
 */
import type { FileHandle } from "node:fs/promises";
import { InternalError } from "../errors.js";
import { writeStreamAtomic } from "./atomic.js";
import { bytesPerElement, elementCount, isFloatDtype, narrowFromFloat32, safetensorsDtypes, type SafetensorsDtype } from "./dtypes.js";

export type TensorValues = Uint8Array | Float32Array | Int32Array | BigInt64Array;

/**
 * A tensor to be written. A Float32Array is converted to the type asked for (F64, F32, F16, BF16); an Int32Array is I32, a BigInt64Array
 * I64; a Uint8Array is the bytes as they shall lie in the file.
 */
export interface TensorData {
  name: string;
  dtype: SafetensorsDtype;
  shape: number[];
  data: TensorValues | (() => TensorValues);
}

/** Elements converted and written at a time. */
const chunkElements = 1 << 20;
/** The longest single write: Node takes no more than 2^31 − 1 bytes at once. */
const longestWrite = 1 << 30;

/**
 * Writes a safetensors file; a file of that name is replaced in one step at the end.
 * @throws LecternError DISK_FULL, FILE_NOT_WRITABLE; the previous file is then unchanged
 * @example
 * await writeSafetensors("model.safetensors", [{ name: "bias", dtype: "F16", shape: [2], data: new Float32Array([1, 2]) }]);
 */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorData>,
  metadata: Record<string, string> = { format: "pt" },
): Promise<void> {
  const sorted = [...tensors].sort(inFileOrder);
  const header = headerOf(sorted, metadata);
  await writeStreamAtomic(file, async (handle) => {
    await writeFully(handle, header);
    for (const tensor of sorted) await writeTensor(handle, tensor);
  });
}

/** Bytes of a tensor's data in the file. */
export function tensorBytes(tensor: { dtype: SafetensorsDtype; shape: readonly number[] }): number {
  return elementCount(tensor.shape) * bytesPerElement(tensor.dtype);
}

function inFileOrder(a: TensorData, b: TensorData): number {
  const rank = safetensorsDtypes.indexOf(b.dtype) - safetensorsDtypes.indexOf(a.dtype);
  return rank !== 0 ? rank : Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

function headerOf(sorted: TensorData[], metadata: Record<string, string>): Uint8Array {
  const entries = [`"__metadata__":${JSON.stringify(metadata)}`];
  const names = new Set(["__metadata__"]);
  let position = 0;
  for (const tensor of sorted) {
    const { name, dtype, shape } = tensor;
    if (names.has(name)) throw new InternalError(`two tensors to be written are named ${name}`);
    names.add(name);
    const end = position + tensorBytes(tensor);
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [position, end] })}`);
    position = end;
  }
  const json = Buffer.from(`{${entries.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + padded, " ");
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, 8);
  return header;
}

async function writeTensor(handle: FileHandle, tensor: TensorData): Promise<void> {
  const { name, dtype } = tensor;
  const values = typeof tensor.data === "function" ? tensor.data() : tensor.data;
  if (values instanceof Float32Array && isFloatDtype(dtype)) {
    if (values.length !== elementCount(tensor.shape)) throw wrongSize(tensor, `${values.length} elements`);
    for (let done = 0; done < values.length; done += chunkElements) {
      await writeFully(handle, narrowFromFloat32(values.subarray(done, done + chunkElements), dtype));
    }
    return;
  }
  const fits =
    values instanceof Uint8Array ||
    (values instanceof Int32Array && dtype === "I32") ||
    (values instanceof BigInt64Array && dtype === "I64");
  if (!fits) throw new InternalError(`tensor ${name}: a ${values.constructor.name} cannot be written as ${dtype}`);
  if (values.byteLength !== tensorBytes(tensor)) throw wrongSize(tensor, `${values.byteLength} bytes`);
  await writeFully(handle, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

function wrongSize({ name, dtype, shape }: TensorData, received: string): InternalError {
  return new InternalError(`tensor ${name} of shape [${shape.join(", ")}] and type ${dtype} was given ${received}`);
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, longestWrite));
    done += bytesWritten;
  }
}
