/**
 * The element types of a safetensors file and the conversions between them and 32-bit floats. Narrowing rounds to the nearest value, ties
 * to even, as IEEE 754 hardware and PyTorch do; a NaN stays a NaN and a value past the largest finite one becomes an infinity. Files are
 * little-endian, and so is every machine that Node and ONNX Runtime run on.
 */

import { float16ToFloat32, float32ToFloat16 } from "../engine/float16.js";

export { float16ToFloat32, float32ToFloat16 };

/** Element types in the order in which Python's safetensors ranks them: a written file lists the tensors of a later type first. */
export const safetensorsDtypes = ["BOOL", "U8", "I8", "I16", "F16", "BF16", "I32", "F32", "F64", "I64"] as const;

export type SafetensorsDtype = (typeof safetensorsDtypes)[number];

/** The types that hold real numbers, which can be read as, and converted to, one another. */
export type FloatDtype = "F64" | "F32" | "F16" | "BF16";

const widths: Record<SafetensorsDtype, number> = { BOOL: 1, U8: 1, I8: 1, I16: 2, F16: 2, BF16: 2, I32: 4, F32: 4, F64: 8, I64: 8 };

export function isSafetensorsDtype(name: unknown): name is SafetensorsDtype {
  return typeof name === "string" && Object.hasOwn(widths, name);
}

export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16" || dtype === "F64";
}

/** Bytes of one element. */
export function bytesPerElement(dtype: SafetensorsDtype): number {
  return widths[dtype];
}

/** The number of elements of a shape; a scalar's shape is []. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** BF16 bit patterns → 32-bit floats, exactly: a bfloat16 is the upper half of the float. */
export function bfloat16ToFloat32(halves: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
}

/** 32-bit floats → BF16 bit patterns, to nearest, ties to even. */
export function float32ToBfloat16(floats: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i];
    into[i] = (value & 0x7fffffff) > 0x7f800000 ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
  }
}

/**
 * The elements of a float tensor, as they lie in a file, as 32-bit floats.
 * @param bytes aligned to the type's width
 */
export function widenToFloat32(dtype: FloatDtype, bytes: Uint8Array, into: Float32Array): void {
  if (dtype === "F32") into.set(new Float32Array(bytes.buffer, bytes.byteOffset, into.length));
  else if (dtype === "F64") into.set(new Float64Array(bytes.buffer, bytes.byteOffset, into.length));
  else if (dtype === "F16") float16ToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, into.length), into);
  else bfloat16ToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, into.length), into);
}

/** 32-bit floats as the bytes of a float tensor of the type. F32 shares the floats' memory; the others are new. */
export function narrowFromFloat32(floats: Float32Array, dtype: FloatDtype): Uint8Array {
  if (dtype === "F32") return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  if (dtype === "F64") return new Uint8Array(Float64Array.from(floats).buffer);
  const halves = new Uint16Array(floats.length);
  if (dtype === "F16") float32ToFloat16(floats, halves);
  else float32ToBfloat16(floats, halves);
  return new Uint8Array(halves.buffer);
}
