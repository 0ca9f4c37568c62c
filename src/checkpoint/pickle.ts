/**
 * Reads what Python's pickle module writes (https://docs.python.org/3/library/pickletools.html), as far as checkpoints need it: numbers,
 * texts, lists, tuples and dictionaries. A pickle is a program; one that builds data with the opcodes below can do no harm, and one with any
 * other opcode is refused by its name. What it calls and what it names from outside, the caller gives out, by name, from a list of its own:
 * nothing is looked up, imported or run.
 */

import { decodeName, FormatError } from "./format-error.js";

/** A function or class of Python that a pickle names: `torch._utils._rebuild_tensor_v2`. */
export class PickleName {
  constructor(readonly name: string) {}
}

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** What the caller made for a pickle: never looked into here. */
export class PickleObject {}

export type PickleValue = null | boolean | number | bigint | string | PickleName | PickleTuple | PickleObject | PickleValue[] | PickleDict;
export type PickleDict = Map<string | number, PickleValue>;

/** What a pickle asks for that no checkpoint needs. */
export class PickleRefusal extends Error {}

export interface PickleWorld {
  /** Whether a name of Python may occur. */
  readonly knows: (name: string) => boolean;
  /** The result of calling what has this name. */
  readonly call: (name: string, parameters: readonly PickleValue[]) => PickleValue;
  /** What a persistent id stands for. */
  readonly persistent: (id: PickleValue) => PickleValue;
}

/** A checkpoint makes some ten a tensor. */
const mostValues = 4_000_000;
const longestInteger = 16;

const refused: Readonly<Record<number, string>> = {
  ...{ 0x30: "POP", 0x31: "POP_MARK", 0x32: "DUP", 0x42: "BINBYTES", 0x43: "SHORT_BINBYTES", 0x46: "FLOAT", 0x49: "INT", 0x4c: "LONG" },
  ...{ 0x50: "PERSID", 0x53: "STRING", 0x56: "UNICODE", 0x64: "DICT", 0x67: "GET", 0x69: "INST", 0x6c: "LIST", 0x6f: "OBJ", 0x70: "PUT" },
  ...{ 0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x8b: "LONG4", 0x8e: "BINBYTES8", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS" },
  ...{ 0x91: "FROZENSET", 0x92: "NEWOBJ_EX", 0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER" },
};

/**
 * Reads one pickle, of protocol 2 to 5.
 * @returns its value, and how many bytes it took
 * @throws PickleRefusal for what is not data; FormatError where the bytes are no pickle
 */
export function readPickle(bytes: Uint8Array, world: PickleWorld): { value: PickleValue; length: number } {
  const input = new PickleInput(bytes);
  const stack = new PickleStack();
  const memo = new Map<number, PickleValue>();
  const recall = (index: number): void => {
    if (!memo.has(index)) throw new FormatError(`nothing was remembered as ${index}`);
    stack.push(memo.get(index)!);
  };
  const named = (name: string): PickleName => {
    if (!world.knows(name)) throw new PickleRefusal(name);
    return new PickleName(name);
  };
  for (;;) {
    const opcode = input.byte();
    switch (opcode) {
      case 0x80: // PROTO
        input.expectProtocol();
        break;
      case 0x95: // FRAME
        input.skip(8);
        break;
      case 0x2e: // STOP
        return { value: stack.last(), length: input.position };
      case 0x28: // MARK
        stack.mark();
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        stack.push(opcode === 0x88);
        break;
      case 0x4a: // BININT
        stack.push(input.int32());
        break;
      case 0x4b: // BININT1
        stack.push(input.byte());
        break;
      case 0x4d: // BININT2
        stack.push(input.uint(2));
        break;
      case 0x8a: // LONG1
        stack.push(input.integer());
        break;
      case 0x47: // BINFLOAT
        stack.push(input.float());
        break;
      case 0x58: // BINUNICODE
        stack.push(input.text(input.uint(4), "utf-8"));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(input.text(input.byte(), "utf-8"));
        break;
      case 0x54: // BINSTRING, which Python 2 wrote
        stack.push(input.text(input.uint(4), "latin1"));
        break;
      case 0x55: // SHORT_BINSTRING
        stack.push(input.text(input.byte(), "latin1"));
        break;
      case 0x5d: // EMPTY_LIST
        stack.push([]);
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x29: // EMPTY_TUPLE
        stack.push(new PickleTuple([]));
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        stack.push(new PickleTuple(stack.take(opcode - 0x84)));
        break;
      case 0x74: // TUPLE
        stack.push(new PickleTuple(stack.takeToMark()));
        break;
      case 0x61: // APPEND
        append(stack.take(1), stack.last());
        break;
      case 0x65: // APPENDS
        append(stack.takeToMark(), stack.last());
        break;
      case 0x73: // SETITEM
        set(stack.take(2), stack.last());
        break;
      case 0x75: // SETITEMS
        set(stack.takeToMark(), stack.last());
        break;
      case 0x71: // BINPUT
        memo.set(input.byte(), stack.last());
        break;
      case 0x72: // LONG_BINPUT
        memo.set(input.uint(4), stack.last());
        break;
      case 0x94: // MEMOIZE
        memo.set(memo.size, stack.last());
        break;
      case 0x68: // BINGET
        recall(input.byte());
        break;
      case 0x6a: // LONG_BINGET
        recall(input.uint(4));
        break;
      case 0x63: // GLOBAL
        stack.push(named(`${input.line()}.${input.line()}`));
        break;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = stack.take(2);
        if (typeof module !== "string" || typeof name !== "string") throw new FormatError("a name that is no text");
        stack.push(named(`${module}.${name}`));
        break;
      }
      case 0x52: {
        // REDUCE
        const [callee, parameters] = stack.take(2);
        if (!(callee instanceof PickleName) || !(parameters instanceof PickleTuple))
          throw new PickleRefusal("a call of what is not a name");
        stack.push(world.call(callee.name, parameters.items));
        break;
      }
      case 0x62: {
        // BUILD: attributes of a dictionary (`_metadata` of a state_dict), which no tensor depends on
        const [state] = stack.take(1);
        if (!(stack.last() instanceof Map) || !(state instanceof Map))
          throw new PickleRefusal("the opcode BUILD for what is not a dictionary");
        break;
      }
      case 0x51: // BINPERSID
        stack.push(world.persistent(stack.take(1)[0]));
        break;
      default:
        if (refused[opcode] !== undefined) throw new PickleRefusal(`the opcode ${refused[opcode]}`);
        throw new FormatError(`the byte 0x${opcode.toString(16)} is no opcode`);
    }
  }
}

function append(values: readonly PickleValue[], list: PickleValue): void {
  if (!Array.isArray(list)) throw new PickleRefusal("items for what is not a list");
  for (const value of values) list.push(value);
}

function set(pairs: readonly PickleValue[], dict: PickleValue): void {
  if (!(dict instanceof Map)) throw new PickleRefusal("entries for what is not a dictionary");
  if (pairs.length % 2 !== 0) throw new FormatError("a key without a value");
  for (let i = 0; i < pairs.length; i += 2) {
    const key = pairs[i];
    if (typeof key !== "string" && typeof key !== "number") throw new PickleRefusal("a key that is neither a text nor a number");
    dict.set(key, pairs[i + 1]);
  }
}

class PickleStack {
  private readonly values: PickleValue[] = [];
  private readonly marks: number[] = [];
  private pushed = 0;

  push(value: PickleValue): void {
    if (++this.pushed > mostValues) throw new PickleRefusal(`more than ${mostValues} values`);
    this.values.push(value);
  }

  mark(): void {
    if (this.marks.length > mostValues) throw new PickleRefusal(`more than ${mostValues} marks`);
    this.marks.push(this.values.length);
  }

  last(): PickleValue {
    if (this.values.length <= (this.marks.at(-1) ?? 0)) throw new FormatError("an opcode without its value");
    return this.values[this.values.length - 1];
  }

  /** The last values, which must have been put there since the last mark. */
  take(count: number): PickleValue[] {
    if (this.values.length - count < (this.marks.at(-1) ?? 0)) throw new FormatError("an opcode without its values");
    return this.values.splice(-count);
  }

  takeToMark(): PickleValue[] {
    const from = this.marks.pop();
    if (from === undefined) throw new FormatError("an opcode without its mark");
    return this.values.splice(from);
  }
}

/** The bytes of a pickle, in their order; whatever is read past their end is an error. */
class PickleInput {
  position = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.bytes[this.skip(1)];
  }

  /** Little-endian. */
  uint(width: 2 | 4): number {
    const at = this.skip(width);
    return width === 2 ? this.view.getUint16(at, true) : this.view.getUint32(at, true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  float(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  /** Its length in one byte, then two's complement, little-endian. A bigint only where a number does not hold it. */
  integer(): number | bigint {
    const length = this.byte();
    if (length > longestInteger) throw new PickleRefusal(`an integer of ${length} bytes`);
    let value = 0n;
    const at = this.skip(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i]);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  text(length: number, encoding: "utf-8" | "latin1"): string {
    const at = this.skip(length);
    const bytes = this.bytes.subarray(at, at + length);
    return encoding === "utf-8" ? decodeName(bytes) : Buffer.from(bytes).toString("latin1");
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.position);
    if (end < 0) throw new FormatError("it ends too early");
    const text = this.text(end - this.position, "utf-8");
    this.position = end + 1;
    return text;
  }

  expectProtocol(): void {
    const protocol = this.byte();
    if (protocol > 5) throw new FormatError(`a pickle of protocol ${protocol}`);
  }

  /** Steps over so many bytes; returns where they begin. */
  skip(length: number): number {
    const at = this.position;
    if (at + length > this.bytes.length) throw new FormatError("it ends too early");
    this.position += length;
    return at;
  }
}
