/**
 * Reads one safetensors file. Opening it reads the header alone; a tensor's bytes are read when they are asked for, at their place in the
 * file, so a model larger than memory can be read tensor by tensor.
 */
import { constants } from "node:buffer";
import { closeSync, readSync } from "node:fs";
import { totalmem } from "node:os";
import { InternalError, LecternError } from "../errors.js";
import { bytesPerElement, elementCount, isFloatDtype, widenToFloat32 } from "./dtypes.js";
import { openPlainFile } from "../files/plain-file.js";
import { readingError } from "../files/system-errors.js";
import { corrupt, parseHeader, parseHeaderLength, type TensorInfo, type TensorPlace } from "./safetensors-header.js";

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
  /** A tensor's bytes as they lie in the file, in memory of their own. */
  readRaw(name: string): Uint8Array;
  metadata: Record<string, string>;
  close(): void;
}

/** Elements converted at a time: the scratch memory of a reading stays small however large the tensor. */
const chunkElements = 1 << 20;
const longestBuffer = constants.MAX_LENGTH;
/** The longest single read: Node takes no more than 2^31 − 1 bytes at once. */
const longestRead = 1 << 30;

/**
 * Opens a safetensors file and checks its header.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, SAFETENSORS_CORRUPT
 * @example
 * const weights = openSafetensors("model.safetensors");
 * const bias = weights.readFloat32("classifier.bias");
 * weights.close();
 */
export function openSafetensors(file: string): WeightSource {
  const { descriptor, size } = openPlainFile(file, "a safetensors file");
  try {
    return readOpened(file, descriptor, size);
  } catch (error) {
    closeSync(descriptor);
    throw readingError(error, file, "a safetensors file");
  }
}

function readOpened(file: string, descriptor: number, size: number): WeightSource {
  const first = new Uint8Array(Math.min(8, size));
  readFully(file, descriptor, first, 0);
  const headerLength = parseHeaderLength(file, first, size);
  const json = new Uint8Array(headerLength);
  readFully(file, descriptor, json, 8);
  const dataStart = 8 + headerLength;
  const { tensors, metadata } = parseHeader(file, json, size - dataStart);
  let isOpen = true;

  const place = (name: string): TensorPlace => {
    const found = tensors.get(name);
    if (!found) throw missingTensor(file, name, [...tensors.keys()]);
    if (!isOpen) throw new InternalError(`tensor ${name} of ${file} was read after close()`);
    return found;
  };

  return {
    metadata,
    names: () => [...tensors.keys()],
    info: (name) => {
      const { dtype, shape } = place(name);
      return { dtype, shape: [...shape] };
    },
    readRaw: (name) => {
      const { start, end } = place(name);
      const bytes = new Uint8Array(requireRoom(file, name, end - start));
      readFully(file, descriptor, bytes, dataStart + start);
      return bytes;
    },
    readFloat32: (name, into) => {
      const { dtype, shape, start } = place(name);
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
      if (dtype === "F32") {
        readFully(file, descriptor, new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), dataStart + start);
        return floats;
      }
      const width = bytesPerElement(dtype);
      const scratch = new Uint8Array(Math.min(count, chunkElements) * width);
      for (let done = 0; done < count; done += chunkElements) {
        const part = floats.subarray(done, done + chunkElements);
        const bytes = scratch.subarray(0, part.length * width);
        readFully(file, descriptor, bytes, dataStart + start + done * width);
        widenToFloat32(dtype, bytes, part);
      }
      return floats;
    },
    close: () => {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
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

function readFully(file: string, descriptor: number, into: Uint8Array, position: number): void {
  let done = 0;
  while (done < into.length) {
    const read = readSync(descriptor, into, done, Math.min(into.length - done, longestRead), position + done);
    if (read === 0) {
      throw corrupt(file, { message: "it became shorter while it was read", expected: `${into.length} bytes`, received: `${done} bytes` });
    }
    done += read;
  }
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
