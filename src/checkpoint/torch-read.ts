/**
 * Reads pytorch_model.bin, which most older models have in the place of safetensors, without running anything of it. There are two formats:
 * since PyTorch 1.6 a zip archive (NAME/data.pkl and NAME/data/0, 1, … for the storages), before it a row of pickles with the storages
 * behind them (torch/serialization.py, _legacy_save). Opening reads the pickles alone.
 */
import { closeSync } from "node:fs";
import { LecternError } from "../errors.js";
import { describeBytes, openPlainFile } from "../files/plain-file.js";
import { readingError } from "../files/system-errors.js";
import { bytesPerElement } from "./dtypes.js";
import { FormatError } from "./format-error.js";
import { PickleRefusal, type PickleValue, readPickle } from "./pickle.js";
import { stateTensors, type TorchStorage, type TorchTensor, torchWorld, unevenStrides } from "./torch-tensors.js";
import { type LocatedTensor, readUpTo, type WeightSource, weightsOf } from "./weight-source.js";
import { readZipDirectory } from "./zip-directory.js";

/** As much as a safetensors file's header may have. */
const longestPickle = 16 * 2 ** 20;
const what = "a PyTorch checkpoint";

/**
 * Opens a checkpoint of PyTorch.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, TORCH_CORRUPT, TORCH_REFUSED
 * @example
 * const weights = openTorchFile("pytorch_model.bin");
 * const bias = weights.readFloat32("classifier.bias");
 * weights.close();
 */
export function openTorchFile(file: string): WeightSource {
  const { descriptor, size } = openPlainFile(file, what);
  try {
    const tensors = readTensors(descriptor, size);
    const shortened = (expected: number, received: number) =>
      corrupt(file, "it became shorter while it was read", `${expected} bytes`, `${received} bytes`);
    return weightsOf({ file, descriptor, tensors, metadata: {}, shortened });
  } catch (error) {
    closeSync(descriptor);
    if (error instanceof PickleRefusal) throw refused(file, error.message);
    if (error instanceof FormatError) throw corrupt(file, error.message);
    throw readingError(error, file, what);
  }
}

function readTensors(descriptor: number, size: number): Map<string, LocatedTensor> {
  const first = readBytes(descriptor, 0, Math.min(size, 512));
  if (startsWith(first, [0x50, 0x4b, 3, 4])) return readArchive(descriptor, size);
  if (startsWith(first, legacyStart)) return readLegacy(descriptor, size);
  throw new FormatError(`it is ${describeStart(first)}`);
}

/** What a file is that has neither format. */
function describeStart(first: Uint8Array): string {
  if (first.length === 0) return "an empty file";
  const text = Buffer.from(first).toString("latin1");
  if (text.startsWith("version https://git-lfs")) return "a pointer of Git LFS in the place of the file";
  if (text.slice(257, 262) === "ustar") return "a tar archive, as PyTorch before 0.2 wrote it";
  if (/^\{"/.test(text.slice(8, 10))) return "a safetensors file: call it model.safetensors";
  return first[0] === 0x80 ? "another program's pickle" : describeBytes(first);
}

function readArchive(descriptor: number, size: number): Map<string, LocatedTensor> {
  const entries = readZipDirectory(descriptor, size);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) throw new FormatError(`it has ${pickles.length} entries NAME/data.pkl, and not one`);
  const root = pickles[0].slice(0, -"data.pkl".length);
  const content = (name: string, limit: number): Uint8Array | undefined => {
    const entry = entries.get(root + name);
    if (entry === undefined) return undefined;
    if (entry.size > limit) throw new FormatError(`its ${name} has ${entry.size} bytes`);
    return readBytes(descriptor, entry.start, entry.size);
  };
  const order = Buffer.from(content("byteorder", 16) ?? []).toString("latin1");
  if (order !== "" && order !== "little") throw new PickleRefusal(`numbers in the byte order "${order}"`);
  const { value } = readPickle(content("data.pkl", longestPickle)!, torchWorld(new Map()));
  return located(stateTensors(value), ({ key, dtype, elements }) => {
    const entry = entries.get(`${root}data/${key}`);
    if (entry === undefined) throw new FormatError(`its storage ${key} is missing`);
    const bytes = elements * bytesPerElement(dtype);
    if (entry.size !== bytes)
      throw new FormatError(`its storage ${key} has ${entry.size} bytes, where ${elements} of ${dtype} have ${bytes}`);
    return entry.start;
  });
}

/** The first pickle, the magic number 0x1950a86a20f9469cfc6c. */
const legacyStart = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const legacyProtocol = 1001;

/** Pickles: magic number, protocol, system, the object, the keys of its storages; then of each storage its number of elements and these. */
function readLegacy(descriptor: number, size: number): Map<string, LocatedTensor> {
  const bytes = readBytes(descriptor, 0, Math.min(size, longestPickle));
  const storages = new Map<string, TorchStorage>();
  let position = 0;
  const next = (): PickleValue => {
    const { value, length } = readPickle(bytes.subarray(position), torchWorld(storages));
    position += length;
    return value;
  };
  next();
  const protocol = next();
  if (protocol !== legacyProtocol) throw new FormatError("it is of an unknown version");
  const system = next();
  if (!(system instanceof Map) || system.get("little_endian") !== true)
    throw new PickleRefusal("numbers in the byte order of another system");
  const tensors = stateTensors(next());
  const keys = next();
  if (!Array.isArray(keys)) throw new FormatError("it does not list its storages");

  const starts = new Map<string, number>();
  for (const key of keys) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined || starts.has(storage.key)) throw new FormatError("it lists a storage that no tensor has, or one twice");
    const elements = new DataView(readBytes(descriptor, position, 8).buffer).getBigInt64(0, true);
    if (elements !== BigInt(storage.elements))
      throw new FormatError(`its storage ${storage.key} has ${elements} elements, not ${storage.elements}`);
    starts.set(storage.key, position + 8);
    position += 8 + storage.elements * bytesPerElement(storage.dtype);
    if (position > size) throw new FormatError("it ends too early");
  }
  return located(tensors, ({ key }) => {
    const start = starts.get(key);
    if (start === undefined) throw new FormatError(`its storage ${key} is missing`);
    return start;
  });
}

/** @param startOf where the first byte of a storage is in the file */
function located(tensors: ReadonlyMap<string, TorchTensor>, startOf: (storage: TorchStorage) => number): Map<string, LocatedTensor> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const { storage, offset, shape } = tensor;
      const { dtype } = storage;
      const strides = unevenStrides(tensor);
      const start = startOf(storage) + offset * bytesPerElement(dtype);
      return [name, { dtype, shape: [...shape], start, ...(strides !== undefined && { strides }) }];
    }),
  );
}

function readBytes(descriptor: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (readUpTo(descriptor, bytes, position) < length) throw new FormatError("it ends too early");
  return bytes;
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, at) => bytes[at] === byte);
}

function corrupt(file: string, problem: string, expected?: string, received?: string): LecternError {
  return new LecternError("TORCH_CORRUPT", {
    message: `${file} is not a whole checkpoint of PyTorch: ${problem}.`,
    expected: expected ?? "what torch.save writes of a state_dict",
    received,
    next: "Download or copy the file again, or use the model's safetensors.",
  });
}

function refused(file: string, what: string): LecternError {
  return new LecternError("TORCH_REFUSED", {
    message: `${file} asks for more than tensors and dictionaries of them, and nothing of it was run: ${what.slice(0, 200)}.`,
    expected: "a state_dict: a dictionary of tensors",
    received: what.slice(0, 200),
    next: 'If you trust the file, load it with PyTorch and save model.state_dict() with safetensors.torch.save_file(…, "model.safetensors").',
  });
}
