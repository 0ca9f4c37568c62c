/** Reads one safetensors file. Opening it reads the header alone. */
import { closeSync } from "node:fs";
import { openPlainFile } from "../files/plain-file.js";
import { readingError } from "../files/system-errors.js";
import { corrupt, parseHeader, parseHeaderLength } from "./safetensors-header.js";
import { readUpTo, weightsOf, type WeightSource } from "./weight-source.js";

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
  const shortened = (expected: number, received: number) =>
    corrupt(file, { message: "it became shorter while it was read", expected: `${expected} bytes`, received: `${received} bytes` });
  const readFully = (into: Uint8Array, position: number): Uint8Array => {
    const done = readUpTo(descriptor, into, position);
    if (done < into.length) throw shortened(into.length, done);
    return into;
  };
  const headerLength = parseHeaderLength(file, readFully(new Uint8Array(Math.min(8, size)), 0), size);
  const dataStart = 8 + headerLength;
  const { tensors, metadata } = parseHeader(file, readFully(new Uint8Array(headerLength), 8), size - dataStart);
  const located = new Map([...tensors].map(([name, { dtype, shape, start }]) => [name, { dtype, shape, start: dataStart + start }]));
  return weightsOf({ file, descriptor, tensors: located, metadata, shortened });
}
