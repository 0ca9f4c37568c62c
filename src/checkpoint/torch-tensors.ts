/**
 * The tensors of a PyTorch checkpoint, by its pickle: what of torch's names a state_dict needs (torch/_utils.py, torch/serialization.py), and
 * no more. A tensor is a view of a storage: so many elements from a place on, with strides.
 */
import { elementCount, type SafetensorsDtype } from "./dtypes.js";
import { FormatError } from "./format-error.js";
import { PickleName, PickleObject, PickleRefusal, PickleTuple, type PickleValue, type PickleWorld } from "./pickle.js";

/** Elements of one type that lie in the file together. */
export interface TorchStorage {
  readonly key: string;
  readonly dtype: SafetensorsDtype;
  readonly elements: number;
}

export class TorchTensor extends PickleObject {
  constructor(
    readonly storage: TorchStorage,
    /** The storage's element that is the tensor's first. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

class StorageObject extends PickleObject {
  constructor(readonly storage: TorchStorage) {
    super();
  }
}

const storageDtypes = new Map<string, SafetensorsDtype>([
  ["torch.DoubleStorage", "F64"],
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
]);

/** Elements of a tensor that repeats those of its storage (stride 0): a small file must not stand for a large tensor. */
const mostRepeated = 2 ** 24;

const callable: Readonly<Record<string, (parameters: readonly PickleValue[]) => PickleValue>> = {
  "collections.OrderedDict": orderedDict,
  "torch._utils._rebuild_tensor_v2": rebuildTensor,
  "torch._utils._rebuild_parameter": ([tensor]) => {
    if (!(tensor instanceof TorchTensor)) throw new PickleRefusal("a parameter that is no tensor");
    return tensor;
  },
};

/**
 * What the pickle of a checkpoint may name and call.
 * @param storages where to put what storages it names, by their keys
 */
export function torchWorld(storages: Map<string, TorchStorage>): PickleWorld {
  return {
    knows: (name) => storageDtypes.has(name) || Object.hasOwn(callable, name),
    call: (name, parameters) => {
      if (!Object.hasOwn(callable, name)) throw new PickleRefusal(`a call of ${name}`);
      return callable[name](parameters);
    },
    persistent: (id) => {
      const storage = storageOf(id);
      const known = storages.get(storage.key) ?? storage;
      if (known.dtype !== storage.dtype || known.elements !== storage.elements)
        throw new FormatError(`the storage ${storage.key} has two types`);
      storages.set(storage.key, known);
      return new StorageObject(known);
    },
  };
}

/** Python 3 fills it afterwards; Python 2 gave a list of pairs. */
function orderedDict(parameters: readonly PickleValue[]): PickleValue {
  const [pairs = [], ...more] = parameters;
  if (!Array.isArray(pairs) || more.length > 0) throw new PickleRefusal("an OrderedDict of what is not a list");
  return new Map(
    pairs.map((pair) => {
      const [key, value] = Array.isArray(pair) ? pair : pair instanceof PickleTuple ? pair.items : [];
      if (typeof key !== "string" || value === undefined) throw new PickleRefusal("an OrderedDict of what are not pairs");
      return [key, value];
    }),
  );
}

/** ("storage", type, key, device, number of elements) and, in old files, a view of it, which is None. */
function storageOf(id: PickleValue): TorchStorage {
  const [kind, type, key, , elements, view = null] = id instanceof PickleTuple ? id.items : [];
  if (kind !== "storage" || typeof key !== "string") throw new PickleRefusal("a persistent id that is no storage's");
  const dtype = type instanceof PickleName ? storageDtypes.get(type.name) : undefined;
  if (dtype === undefined) throw new PickleRefusal("a storage without a type");
  if (!isCount(elements)) throw new FormatError(`the storage ${key} has no number of elements`);
  if (view !== null) throw new PickleRefusal("a view of a storage, as PyTorch before 0.4 wrote it");
  return { key, dtype, elements };
}

/** (storage, offset, sizes, strides, requires_grad, hooks): checked against its storage, since what comes later trusts it. */
function rebuildTensor(parameters: readonly PickleValue[]): PickleValue {
  const [storage, offset, sizes, steps] = parameters;
  if (!(storage instanceof StorageObject)) throw new PickleRefusal("a tensor without a storage");
  const [shape, strides] = [sizes, steps].map((value) => (value instanceof PickleTuple ? value.items : undefined));
  if (!isCount(offset) || !shape?.every(isCount) || !strides?.every(isCount) || shape.length !== strides.length) {
    throw new FormatError("a tensor without a place, sizes and strides");
  }
  const count = elementCount(shape);
  const { key, elements } = storage.storage;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], offset);
  if (count > 0 && !(last < elements)) throw new FormatError(`a tensor reaches past the end of its storage ${key}`);
  if (!(count <= Math.max(elements, mostRepeated))) throw new FormatError(`a tensor of ${count} elements in a storage of ${elements}`);
  return new TorchTensor(storage.storage, offset, shape, strides);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Names under which training programs keep the model beside other things. */
const wholes = ["state_dict", "model_state_dict", "model"];

/**
 * The tensors of a checkpoint's value by their names: of a state_dict, or of a dictionary that holds one.
 * @throws PickleRefusal where there are none
 */
export function stateTensors(value: PickleValue): Map<string, TorchTensor> {
  const own = tensorsOf(value);
  if (own.size > 0) return own;
  for (const name of wholes) {
    const inner = value instanceof Map ? tensorsOf(value.get(name) ?? null) : new Map<string, TorchTensor>();
    if (inner.size > 0) return inner;
  }
  if (value instanceof Map && value.size === 0) return own;
  throw new PickleRefusal("a value that is no dictionary of tensors");
}

function tensorsOf(value: PickleValue): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  if (!(value instanceof Map)) return tensors;
  for (const [name, tensor] of value) if (tensor instanceof TorchTensor) tensors.set(String(name), tensor);
  return tensors;
}

/** Strides where elements do not simply follow one another. */
export function unevenStrides({ shape, strides }: TorchTensor): readonly number[] | undefined {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return elementCount(shape) === 0 ? undefined : strides;
    step *= shape[axis];
  }
  return undefined;
}
