/** Memory of the host, and tensors that are views of it for JavaScript and for the library at once. */
import type { DataType } from "../../graph/value.js";
import { onnxDataTypes } from "../../ops/select.js";
import { bytesPerElement, type HostArray, type Memory, type Tensor } from "../runtime.js";
import type { CApi, Pointer } from "./c-api.js";

export class HostMemory implements Memory {
  buffer: ArrayBuffer;
  constructor(readonly byteLength: number) {
    this.buffer = new ArrayBuffer(Math.max(byteLength, 8));
  }
  release(): void {
    this.buffer = new ArrayBuffer(0);
  }
}

export class NativeTensor implements Tensor {
  readonly data: HostArray;
  readonly value: Pointer;

  constructor(
    private readonly api: CApi,
    memoryInfo: Pointer,
    buffer: ArrayBuffer,
    byteOffset: number,
    readonly dtype: DataType,
    readonly shape: readonly number[],
  ) {
    const count = shape.reduce((product, size) => product * size, 1);
    const byteLength = count * bytesPerElement[dtype];
    this.data = hostView(dtype, buffer, byteOffset, count);
    // A view of no elements has no address: the library is given the start of the buffer and a length of 0.
    const address = count === 0 ? new Uint8Array(buffer, 0, 8) : this.data;
    const dimensions = BigInt64Array.from(shape, BigInt);
    this.value = api.make("CreateTensorWithDataAsOrtValue", memoryInfo, address, byteLength, dimensions, shape.length, onnxDataTypes[dtype]);
  }

  release(): void {
    this.api.ReleaseValue(this.value);
  }
}

/** The elements of a tensor that begins `byteOffset` bytes into `buffer`. */
export function hostView(dtype: DataType, buffer: ArrayBuffer, byteOffset: number, count: number): HostArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, byteOffset, count);
    case "int64":
      return new BigInt64Array(buffer, byteOffset, count);
    case "int32":
      return new Int32Array(buffer, byteOffset, count);
    case "int8":
      return new Int8Array(buffer, byteOffset, count);
    case "float16":
      return new Uint16Array(buffer, byteOffset, count);
    case "bool":
    case "uint8":
      return new Uint8Array(buffer, byteOffset, count);
  }
}
