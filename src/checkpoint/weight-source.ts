/**
 * Weights by name, whatever file they lie in. Who knows a format says of each tensor where in the file it is; reading is done here: a tensor's
 * bytes when they are asked for, at their place, so that a model larger than memory can be read tensor by tensor.
 */
import { constants } from "node:buffer";
import { closeSync, readSync } from "node:fs";
import { totalmem } from "node:os";
import { InternalError, LecternError } from "../errors.js";
import { bytesPerElement, elementCount, isFloatDtype, type SafetensorsDtype, widenToFloat32 } from "./dtypes.js";

/** What a tensor is, apart from its values. */
export interface TensorInfo {
  dtype: SafetensorsDtype;
  shape: number[];
}

/** Weights by name, from one file or a sharded folder, each read when asked for. */
export interface WeightSource {
  names(): string[];
  /** @throws LecternError TENSOR_MISSING when there is no tensor of that name */
  info(name: string): TensorInfo;
  /**
   * A float tensor's elements, F16, BF16 and F64 converted.
   * @param into where to put them: as many elements as the shape has
   * @throws LecternError TENSOR_DTYPE when the tensor holds no floats
   */
  readFloat32(name: string, into?: Float32Array): Float32Array;
  /** A tensor's bytes, row by row, in memory of their own. */
  readRaw(name: string): Uint8Array;
  metadata: Record<string, string>;
  close(): void;
}

/** Where a tensor lies in its file. */
export interface LocatedTensor extends TensorInfo {
  /** The byte at which its first element is. */
  readonly start: number;
  /** Elements from one index of each dimension to the next, where they do not simply follow one another. */
  readonly strides?: readonly number[];
}

export interface WeightFile {
  readonly file: string;
  readonly descriptor: number;
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
  readonly metadata: Record<string, string>;
  /** The error for a file that became shorter since it was opened. */
  readonly shortened: (expected: number, received: number) => LecternError;
}

/** Elements converted at a time: the scratch memory of a reading stays small however large the tensor. */
const chunkElements = 1 << 20;
const longestBuffer = constants.MAX_LENGTH;
/** The longest single read: Node takes no more than 2^31 − 1 bytes at once. */
const longestRead = 1 << 30;

/** The tensors of one open file. Closing the source closes the file. */
export function weightsOf({ file, descriptor, tensors, metadata, shortened }: WeightFile): WeightSource {
  let isOpen = true;

  const place = (name: string): LocatedTensor => {
    const found = tensors.get(name);
    if (!found) throw missingTensor(file, name, [...tensors.keys()]);
    if (!isOpen) throw new InternalError(`tensor ${name} of ${file} was read after close()`);
    return found;
  };
  const read = (into: Uint8Array, position: number): void => {
    const done = readUpTo(descriptor, into, position);
    if (done < into.length) throw shortened(into.length, done);
  };
  const readRaw = (name: string): Uint8Array => {
    const { dtype, shape, start, strides } = place(name);
    const width = bytesPerElement(dtype);
    const bytes = new Uint8Array(requireRoom(file, name, elementCount(shape) * width));
    if (strides === undefined || bytes.length === 0) {
      read(bytes, start);
      return bytes;
    }
    const extent = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 1) * width;
    const around = new Uint8Array(requireRoom(file, name, extent));
    read(around, start);
    gather(around, bytes, { shape, strides, width });
    return bytes;
  };

  return {
    metadata,
    names: () => [...tensors.keys()],
    info: (name) => {
      const { dtype, shape } = place(name);
      return { dtype, shape: [...shape] };
    },
    readRaw,
    readFloat32: (name, into) => {
      const { dtype, shape, start, strides } = place(name);
      if (!isFloatDtype(dtype)) {
        throw new LecternError("TENSOR_DTYPE", {
          message: `Tensor ${JSON.stringify(name)} of ${file} does not hold real numbers.`,
          expected: "F32, F16, BF16 or F64",
          received: dtype,
          next: "Use a checkpoint whose weights are not quantised.",
        });
      }
      const count = elementCount(shape);
      const floats = into ?? new Float32Array(requireRoom(file, name, 4 * count) / 4);
      if (floats.length !== count) throw new InternalError(`tensor ${name} has ${count} elements, the memory given has ${floats.length}`);
      if (strides !== undefined) widenToFloat32(dtype, readRaw(name), floats);
      else if (dtype === "F32") read(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), start);
      else {
        const width = bytesPerElement(dtype);
        const scratch = new Uint8Array(Math.min(count, chunkElements) * width);
        for (let done = 0; done < count; done += chunkElements) {
          const part = floats.subarray(done, done + chunkElements);
          const bytes = scratch.subarray(0, part.length * width);
          read(bytes, start + done * width);
          widenToFloat32(dtype, bytes, part);
        }
      }
      return floats;
    },
    close: () => {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}

/** Elements of a tensor whose rows do not follow one another, row by row. */
function gather(from: Uint8Array, into: Uint8Array, layout: { shape: readonly number[]; strides: readonly number[]; width: number }): void {
  const { shape, strides, width } = layout;
  const index = shape.map(() => 0);
  let at = 0; // elements from the first
  for (let written = 0; written < into.length; written += width) {
    for (let byte = 0; byte < width; byte++) into[written + byte] = from[at * width + byte];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}

/** Reads into all of the memory, or up to the end of the file. Returns how many bytes it read. */
export function readUpTo(descriptor: number, into: Uint8Array, position: number): number {
  let done = 0;
  while (done < into.length) {
    const read = readSync(descriptor, into, done, Math.min(into.length - done, longestRead), position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** A file may have holes, and so be larger than its disk: what it promises is not asked of the memory unseen. */
function requireRoom(file: string, tensor: string, bytes: number): number {
  if (bytes <= Math.min(totalmem(), longestBuffer)) return bytes;
  throw new LecternError("TENSOR_TOO_LARGE", {
    message: `Tensor ${JSON.stringify(tensor)} of ${file} is too large to be read at once.`,
    expected: `at most ${gibibytes(Math.min(totalmem(), longestBuffer))}`,
    received: gibibytes(bytes),
    next: "Check that the file is the model you meant, or use a machine with more memory.",
  });
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** The error for a name that a checkpoint does not have, with the names most like it. */
export function missingTensor(place: string, name: string, names: string[]): LecternError {
  const last = name.split(".").slice(-2).join(".");
  const alike = names.filter((other) => other.endsWith(last)).slice(0, 3);
  return new LecternError("TENSOR_MISSING", {
    message: `${place} has no tensor ${JSON.stringify(name)}.`,
    expected: name,
    received: `${names.length} tensors${alike.length > 0 ? `, among them ${alike.join(", ")}` : ""}`,
    next: "Check that the checkpoint is of the architecture its config.json names.",
  });
}
