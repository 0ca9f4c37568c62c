/** Checkpoints that torch.save wrote (reference/make_torch_fixtures.py), and files made to do harm. */
import fc from "fast-check";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archive, dict, int, pickle, storage, tensor, text } from "../../test/torch-archive.js";
import { zipArchive } from "../../test/zip-archive.js";
import { LecternError } from "../errors.js";
import { openTorchFile } from "./torch-read.js";

const fixtures = path.join(import.meta.dirname, "../../test/torch-checkpoints");
const expected = JSON.parse(readFileSync(path.join(fixtures, "expected.json"), "utf8")) as Record<
  string,
  Record<string, { shape: number[]; dtype: string; values: number[] }>
>;

let root: string;
let file: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "torch-"));
  file = path.join(root, "pytorch_model.bin");
});
afterAll(() => rm(root, { recursive: true }));

/** "opened", or the code of the error; any error of another kind fails the test. */
function opening(bytes: Uint8Array): string {
  writeFileSync(file, bytes);
  try {
    const weights = openTorchFile(file);
    for (const name of weights.names()) weights.readRaw(name);
    weights.close();
    return "opened";
  } catch (error) {
    if (error instanceof LecternError) return error.code;
    throw error;
  }
}

const dtypes: Record<string, string> = {
  ...{ float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16" },
  ...{ int64: "I64", int32: "I32", int16: "I16", int8: "I8", uint8: "U8", bool: "BOOL" },
};

describe("a file of torch.save", () => {
  test.each(Object.keys(expected))("%s is read to the last value", (name) => {
    const weights = openTorchFile(path.join(fixtures, `${name}.bin`));
    expect(weights.names()).toEqual(Object.keys(expected[name]));
    for (const [tensor, { shape, dtype, values }] of Object.entries(expected[name])) {
      expect(weights.info(tensor)).toEqual({ shape, dtype: dtypes[dtype] });
      const raw = weights.readRaw(tensor);
      if (dtype.includes("float")) expect([...weights.readFloat32(tensor)]).toEqual(values);
      else expect([...integers(dtype, raw)]).toEqual(values);
    }
    weights.close();
  });

  test.each([
    ["refused-module", "torch.nn.modules.linear.Linear"],
    ["refused-sparse", "torch._utils._rebuild_sparse_tensor"],
    ["refused-quantised", "torch._utils._rebuild_qtensor"],
    ["refused-system", "posix.system"],
  ])("%s is refused by name", (name, what) => {
    expect(() => openTorchFile(path.join(fixtures, `${name}.bin`))).toThrow(
      expect.objectContaining({ code: "TORCH_REFUSED", detail: expect.objectContaining({ received: what }) as object }) as Error,
    );
  });
});

function integers(dtype: string, { buffer }: Uint8Array): Iterable<number> {
  if (dtype === "int64") return Array.from(new BigInt64Array(buffer), Number);
  if (dtype === "int32") return new Int32Array(buffer);
  if (dtype === "int16") return new Int16Array(buffer);
  return dtype === "int8" ? new Int8Array(buffer) : new Uint8Array(buffer);
}

const one = pickle(dict(text("a") + tensor(storage(2))));

describe("a file made by hand", () => {
  test("is read where nothing is wrong with it", () => {
    expect(opening(archive(one))).toBe("opened");
    expect(opening(archive(pickle("}")))).toBe("opened");
    expect(
      opening(
        zipArchive(
          [
            { name: "m/data.pkl", content: one },
            { name: "m/data/0", content: Buffer.alloc(8) },
          ],
          { wide: true },
        ),
      ),
    ).toBe("opened");
  });

  // What the CVEs of weights_only loading were made of, and what scanners of pickles were deceived with.
  const refused: Record<string, Buffer> = {
    "a call of os.system": pickle(`cos\nsystem\n(${text("true")}tR`),
    "a call by STACK_GLOBAL": pickle(`${text("os")}${text("system")}\x93(${text("true")}tR`),
    "a name alone, never called": pickle(dict(`${text("a")}cbuiltins\neval\n`)),
    "a name of torch that loads more": pickle(`ctorch\nload\n(${text("x")}tR`),
    "a name behind an allowed one": pickle(`ctorch._utils\n_rebuild_tensor_v2.__globals__\n`),
    INST: pickle(`(${text("true")}ios\nsystem\n`),
    OBJ: pickle(`(cos\nsystem\n${text("true")}o`),
    NEWOBJ: pickle(`ccollections\nOrderedDict\n)\x81`),
    EXT1: pickle("\x82\x01"),
    PERSID: pickle("P0\n"),
    "BUILD of a tensor": pickle(`${tensor(storage(2))}}b`),
    "BUILD of a name": pickle(`ctorch\nFloatStorage\n}b`),
    "SETITEM on a tensor (CVE-2026-24747)": pickle(`${tensor(storage(2))}${text("a")}Ns`),
    "SETITEMS on a list (CVE-2026-24747)": pickle(`](${text("a")}Nu`),
    "APPEND to a dictionary": pickle("}Na"),
    "a call of a dictionary": pickle("})R"),
    "a call of a storage's type": pickle("ctorch\nFloatStorage\n)R"),
    "a tensor of what is no storage": pickle(`ctorch._utils\n_rebuild_tensor_v2\n(}${int(0)})))tR`),
    "a key that is a list": pickle("}]Ns"),
    "a storage without a type": pickle(`(${text("storage")}${text("FloatStorage")}${text("0")}${text("cpu")}${int(2)}tQ`),
    "no tensors": pickle(`]`),
  };
  test.each(Object.keys(refused))("%s is refused", (name) => expect(opening(archive(refused[name]))).toBe("TORCH_REFUSED"));

  const broken: Record<string, Buffer> = {
    "a storage of fewer elements than the tensor has (CVE-2026-24747)": archive(pickle(dict(text("a") + tensor(storage(1))))),
    "a storage of more elements than the file holds": archive(pickle(dict(text("a") + tensor(storage(4), { shape: [4] })))),
    "a storage of 2^50 elements": archive(pickle(dict(text("a") + tensor(storage(2 ** 50), { shape: [2 ** 50] })))),
    "a tensor of 2^40 elements of stride 0": archive(
      pickle(dict(text("a") + tensor(storage(2), { shape: [2 ** 20, 2 ** 20], strides: [0, 0] }))),
    ),
    "sizes whose product is no number": archive(
      pickle(dict(text("a") + tensor(storage(2), { shape: Array<number>(60).fill(2 ** 52), strides: Array<number>(60).fill(0) }))),
    ),
    "a negative offset": archive(pickle(dict(text("a") + tensor(storage(2), { offset: -1 })))),
    "negative strides": archive(pickle(dict(text("a") + tensor(storage(2), { strides: [-1] })))),
    "an offset behind the storage": archive(pickle(dict(text("a") + tensor(storage(2), { offset: 1 })))),
    "fewer strides than sizes": archive(pickle(dict(text("a") + tensor(storage(2), { strides: [] })))),
    "one storage of two sizes": archive(pickle(dict(text("a") + tensor(storage(2)), text("b") + tensor(storage(1), { shape: [1] })))),
    "a storage that leads out of the archive": archive(pickle(dict(text("a") + tensor(storage(2, "../data.pkl"))))),
    "no storage": archive(one, []),
    "nothing remembered": archive(pickle("h\x07")),
    "a mark missing": archive(pickle("u")),
    "a value from before the mark": archive(pickle("N(\x85")),
    "a text longer than the file": archive(pickle("X\xff\xff\xff\xff")),
    "no end": archive(Buffer.from([0x80, 2, 0x7d])),
    "two pickles": archive(one, [{ name: "n/data.pkl", content: one }]),
    "no pickle": zipArchive([{ name: "m/x", content: one }]),
    "two entries of one name": archive(one, [
      { name: "m/data/0", content: Buffer.alloc(8) },
      { name: "m/data/0", content: Buffer.alloc(8) },
    ]),
    "a header that contradicts the directory": archive(one, [{ name: "m/data/0", content: Buffer.alloc(8), headerName: "m/data/1" }]),
    "a compressed storage": archive(one, [{ name: "m/data/0", content: Buffer.alloc(8), method: 8 }]),
    "an encrypted storage": archive(one, [{ name: "m/data/0", content: Buffer.alloc(8), flags: 1 }]),
    "entries that overlap": archive(one, [{ name: "m/data/0", content: Buffer.alloc(8), size: 9 }]),
    "an entry past the end": archive(one, [{ name: "m/data/0", content: Buffer.alloc(8), size: 0xfffffff0 }]),
    "another program's pickle": Buffer.from([0x80, 4, 0x2e]),
    "a pointer of Git LFS": Buffer.from("version https://git-lfs.github.com/spec/v1\n"),
    nothing: Buffer.alloc(0),
  };
  test.each(Object.keys(broken))("%s is an error", (name) => expect(opening(broken[name])).toBe("TORCH_CORRUPT"));

  test("of another byte order is refused", () => {
    const order = { name: "m/byteorder", content: Buffer.from("big") };
    expect(opening(archive(one, [{ name: "m/data/0", content: Buffer.alloc(8) }, order]))).toBe("TORCH_REFUSED");
    const legacy = readFileSync(path.join(fixtures, "legacy.bin"));
    const at = legacy.indexOf("little_endian") + "little_endian".length;
    const flag = legacy.indexOf(0x88, at);
    legacy[flag] = 0x89;
    expect(opening(legacy)).toBe("TORCH_REFUSED");
  });

  test("that makes very many values ends soon", () => {
    expect(opening(archive(Buffer.concat([Buffer.from([0x80, 2]), Buffer.alloc(5_000_000, "]")])))).toBe("TORCH_REFUSED");
    expect(opening(archive(Buffer.concat([Buffer.from([0x80, 2]), Buffer.alloc(5_000_000, "(")])))).toBe("TORCH_REFUSED");
  });

  test("that contains itself is no state_dict", () => {
    expect(opening(archive(pickle("]q\0h\0a")))).toBe("TORCH_REFUSED");
    expect(opening(archive(pickle(`}q\0${text("state_dict")}h\0s`)))).toBe("TORCH_REFUSED");
  });
});

describe("damage", () => {
  const originals = ["module", "views", "legacy", "nested"].map((name) => readFileSync(path.join(fixtures, `${name}.bin`)));

  test("of any byte, or a cut anywhere, is read or told", () => {
    const changes = fc.array(fc.record({ at: fc.double({ min: 0, max: 0.9999, noNaN: true }), to: fc.integer({ min: 0, max: 255 }) }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        changes,
        fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 4 }),
        (original, bytes, cut) => {
          const damaged = Buffer.from(original.subarray(0, cut === null ? original.length : Math.floor(cut * original.length)));
          for (const { at, to } of bytes) if (damaged.length > 0) damaged[Math.floor(at * damaged.length)] = to;
          expect(["opened", "TORCH_CORRUPT", "TORCH_REFUSED", "TENSOR_TOO_LARGE"]).toContain(opening(damaged));
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("of the pickle alone is read or told: opcodes put in, taken out, exchanged", () => {
    const opcodes = fc.constantFrom(...`().NJKMRXQabchjqrstu]}\x80\x81\x85\x86\x87\x88\x8a\x8c\x93\x94`);
    const edits = fc.array(fc.record({ at: fc.nat(one.length), remove: fc.nat(3), insert: fc.string({ unit: opcodes, maxLength: 4 }) }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(edits, (list) => {
        let bytes = one;
        for (const { at, remove, insert } of list)
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(insert, "latin1"), bytes.subarray(at + remove)]);
        expect(["opened", "TORCH_CORRUPT", "TORCH_REFUSED"]).toContain(opening(archive(bytes)));
      }),
      { numRuns: 1500 },
    );
  });
});
