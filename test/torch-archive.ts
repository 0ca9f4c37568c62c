/** Checkpoints as torch.save writes them: a pickle of opcodes put together by hand, and the storages, in a zip archive. */
import { zipArchive, type ZipEntryOptions } from "./zip-archive.js";

/** Pickle opcodes from parts: numbers are bytes, texts are themselves. */
export const pickle = (...parts: (number | string)[]): Buffer =>
  Buffer.concat([
    Buffer.from([0x80, 2]),
    ...parts.map((part) => (typeof part === "number" ? Buffer.from([part]) : Buffer.from(part, "latin1"))),
    Buffer.from("."),
  ]);

/** Up to 255 characters. */
export const text = (value: string): string => `X${String.fromCharCode(value.length)}\0\0\0${value}`;

export const int = (value: number): string => {
  const bytes = Buffer.alloc(10, 0x8a);
  bytes[1] = 8;
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes.toString("latin1");
};

/** A persistent id of float32 elements. */
export const storage = (elements: number, key = "0"): string =>
  `(${text("storage")}ctorch\nFloatStorage\n${text(key)}${text("cpu")}${int(elements)}tQ`;

export const tensor = (from: string, { offset = 0, shape = [2], strides = [1] } = {}): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${from}${int(offset)}(${shape.map(int).join("")}t(${strides.map(int).join("")}t\x89ccollections\nOrderedDict\n)RtR`;

export const dict = (...entries: string[]): string => `}(${entries.join("")}u`;

/** An archive with this pickle and a storage "0" of two floats. */
export const archive = (pickled: Uint8Array, others: ZipEntryOptions[] = [{ name: "m/data/0", content: Buffer.alloc(8) }]): Buffer =>
  zipArchive([{ name: "m/data.pkl", content: pickled }, ...others]);

/** A state_dict of float32 tensors, each in a storage of its own. */
export function torchCheckpoint(
  tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[],
): Buffer {
  const entries = tensors.map(({ name, shape, data }, key) => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
    return text(name) + tensor(storage(data.length, String(key)), { shape: [...shape], strides });
  });
  return archive(
    pickle(dict(...entries)),
    tensors.map(({ data }, key) => ({ name: `m/data/${key}`, content: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) })),
  );
}
