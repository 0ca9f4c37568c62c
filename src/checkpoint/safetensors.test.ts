import fc from "fast-check";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LecternError } from "../errors.js";
import { bytesPerElement, elementCount, safetensorsDtypes } from "./dtypes.js";
import { openSafetensors, writeSafetensors, type TensorData, type TensorInfo } from "./safetensors.js";

let root: string;
let file: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "safetensors-"));
  file = path.join(root, "model.safetensors");
});
afterAll(() => rm(root, { recursive: true }));

/** A file with this header and so many bytes of data. */
function bytesOf(header: string | object, dataBytes: number, claimedLength?: bigint): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimedLength ?? BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const tensorArbitrary: fc.Arbitrary<TensorData> = fc
  .record({
    name: fc.string({ minLength: 1, maxLength: 12 }).filter((name) => name !== "__metadata__"),
    dtype: fc.constantFrom(...safetensorsDtypes),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
  })
  .chain(({ name, dtype, shape }) => {
    const size = elementCount(shape) * bytesPerElement(dtype);
    return fc.uint8Array({ minLength: size, maxLength: size }).map((data) => ({ name, dtype, shape, data }));
  });

describe("what is written is read", () => {
  test("every type, shape and name", async () => {
    const tensors = fc.uniqueArray(tensorArbitrary, { selector: (tensor) => tensor.name, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(tensors, fc.dictionary(fc.string(), fc.string()), async (written, metadata) => {
        await writeSafetensors(file, written, metadata);
        const read = openSafetensors(file);
        expect(read.names().sort()).toEqual(written.map((tensor) => tensor.name).sort());
        expect({ ...read.metadata }).toEqual({ ...metadata });
        for (const { name, dtype, shape, data } of written) {
          expect(read.info(name)).toEqual({ dtype, shape });
          expect(read.readRaw(name)).toEqual(data);
        }
        read.close();
      }),
      { numRuns: 60 },
    );
  });

  test("floats in every float type, into memory given", async () => {
    const values = new Float32Array([0, -0, 1, -2.5, 0.099975586, 65504, NaN, -Infinity]);
    const dtypes = ["F64", "F32", "F16", "BF16"] as const;
    await writeSafetensors(
      file,
      dtypes.map((dtype) => ({ name: dtype, dtype, shape: [2, 4], data: () => values })),
    );
    const read = openSafetensors(file);
    for (const dtype of ["F64", "F32", "F16"] as const) expect(read.readFloat32(dtype)).toEqual(values);
    const into = new Float32Array(10).fill(7);
    read.readFloat32("BF16", into.subarray(1, 9));
    expect([...into]).toEqual([7, 0, -0, 1, -2.5, 0.10009765625, 65536, NaN, -Infinity, 7]);
    read.close();
  });

  test("whole numbers", async () => {
    await writeSafetensors(file, [
      { name: "steps", dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 60n) },
      { name: "rows", dtype: "I32", shape: [2], data: Int32Array.of(-1, 5) },
      { name: "scale", dtype: "F32", shape: [], data: Float32Array.of(3) },
    ]);
    const read = openSafetensors(file);
    expect(new BigInt64Array(read.readRaw("steps").buffer)).toEqual(BigInt64Array.of(-1n, 2n ** 60n));
    expect(new Int32Array(read.readRaw("rows").buffer)).toEqual(Int32Array.of(-1, 5));
    expect(read.readFloat32("scale")).toEqual(Float32Array.of(3));
    expect(() => read.readFloat32("steps")).toThrow(/does not hold real numbers[\s\S]*I64/);
    read.close();
  });

  test("tensors larger than one piece", async () => {
    const values = Float32Array.from({ length: 2_500_000 }, (_, i) => i % 2048);
    await writeSafetensors(file, [{ name: "large", dtype: "F16", shape: [2500, 1000], data: values }]);
    const read = openSafetensors(file);
    expect(Buffer.compare(Buffer.from(read.readFloat32("large").buffer), Buffer.from(values.buffer))).toBe(0);
    read.close();
  });

  test("a name that is not there is an error that shows names like it", async () => {
    await writeSafetensors(file, [{ name: "bert.pooler.dense.bias", dtype: "F32", shape: [1], data: Float32Array.of(1) }]);
    const read = openSafetensors(file);
    expect(() => read.info("pooler.dense.bias")).toThrow(/no tensor "pooler.dense.bias"[\s\S]*bert.pooler.dense.bias/);
    read.close();
  });
});

describe("the bytes are those that Python's safetensors writes", () => {
  test("for a small file", async () => {
    // safetensors 0.8.0: save_file({"b": float16 [1, 2], "a": float32 [[3]], "c": int64 [4]}, "…", metadata={"format": "pt"})
    await writeSafetensors(file, [
      { name: "b", dtype: "F16", shape: [2], data: Float32Array.of(1, 2) },
      { name: "a", dtype: "F32", shape: [1, 1], data: Float32Array.of(3) },
      { name: "c", dtype: "I64", shape: [1], data: BigInt64Array.of(4n) },
    ]);
    const header =
      '{"__metadata__":{"format":"pt"},"c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
      '"a":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},"b":{"dtype":"F16","shape":[2],"data_offsets":[12,16]}}';
    const bytes = readFileSync(file);
    expect(
      bytes
        .subarray(8, 8 + Number(bytes.readBigUInt64LE()))
        .toString()
        .trimEnd(),
    ).toBe(header);
    expect(bytes.readBigUInt64LE() % 8n).toBe(0n);
    expect(bytes.subarray(-16).toString("hex")).toBe("040000000000000000004040003c0040");
  });

  const minilm = path.resolve("../shared/models/minilm-l6/model.safetensors");
  test.skipIf(!existsSync(minilm))("for a real model, all of it (needs ../shared/models)", async () => {
    const read = openSafetensors(minilm);
    await writeSafetensors(
      file,
      read
        .names()
        .reverse()
        .map((name) => ({ name, ...read.info(name), data: () => read.readRaw(name) })),
      read.metadata,
    );
    read.close();
    expect(readFileSync(file).equals(readFileSync(minilm))).toBe(true);
  });
});

describe("a damaged file is an error that says what is wrong", () => {
  const one = (entry: object): object => ({ weight: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...entry } });
  const other = { dtype: "F32", shape: [1] };
  const cases: [string, Buffer, RegExp][] = [
    ["an empty file", Buffer.alloc(0), /ends before its header[\s\S]*received: 0 bytes/],
    ["four bytes", Buffer.alloc(4), /ends before its header/],
    ["a huge header", bytesOf("{}", 0, 2n ** 63n), /header is too long[\s\S]*9223372036854775808 bytes/],
    ["a header longer than the file", bytesOf("{}", 0, 99n), /ends inside its header/],
    ["a header that is not JSON", bytesOf("{nonsense", 0), /not JSON/],
    ["a header that is not UTF-8", Buffer.concat([bytesOf("", 0, 3n), Buffer.from([0x22, 0xff, 0x22])]), /not JSON/],
    ["a header that is a list", bytesOf("[]", 0), /not a JSON object/],
    ["metadata that are numbers", bytesOf({ __metadata__: { a: 1 } }, 0), /__metadata__/],
    ["an entry that is a text", bytesOf({ weight: "x" }, 0), /tensor "weight": its entry/],
    ["an unknown type", bytesOf(one({ dtype: "F8_E4M3" }), 8), /tensor "weight": its element type[\s\S]*BF16[\s\S]*F8_E4M3/],
    ["a type of objects' own", bytesOf(one({ dtype: "toString" }), 8), /element type/],
    ["a negative size", bytesOf(one({ shape: [-2] }), 8), /tensor "weight": its shape[\s\S]*\[-2\]/],
    ["half a size", bytesOf(one({ shape: [1.5] }), 8), /its shape/],
    ["negative offsets", bytesOf(one({ data_offsets: [-8, 0] }), 8), /data_offsets/],
    ["offsets backwards", bytesOf(one({ data_offsets: [8, 0] }), 8), /data_offsets/],
    ["three offsets", bytesOf(one({ data_offsets: [0, 4, 8] }), 8), /data_offsets/],
    ["data past the end", bytesOf(one({}), 4), /tensor "weight": its data lies past the end[\s\S]*8 bytes of data[\s\S]*4 bytes/],
    ["a wrong byte count", bytesOf(one({ shape: [3] }), 8), /tensor "weight": its byte count[\s\S]*12 bytes for F32 \[3\][\s\S]*8 bytes/],
    ["sizes whose product is beyond numbers", bytesOf(one({ shape: [2 ** 40, 2 ** 40] }), 8), /byte count/],
    ["overlapping tensors", bytesOf({ ...one({}), other: { ...other, data_offsets: [4, 8] } }, 8), /tensor "other".*overlaps/],
    ["a gap", bytesOf({ ...one({}), other: { ...other, data_offsets: [12, 16] } }, 16), /tensor "other".*gap/],
    ["bytes after the last tensor", bytesOf(one({}), 9), /bytes follow its last tensor/],
    [
      "a name that stands twice",
      bytesOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', 0),
      /key "a" twice/,
    ],
    ["a shape that stands twice", bytesOf('{"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}}', 0), /key "shape" twice/],
  ];
  for (const [name, bytes, message] of cases) {
    test(name, async () => {
      await writeFile(file, bytes);
      expect(() => openSafetensors(file)).toThrow(message);
      expect(() => openSafetensors(file)).toThrow(expect.objectContaining({ code: "SAFETENSORS_CORRUPT" }));
      expect(() => openSafetensors(file)).toThrow(file);
    });
  }

  test("no file, and a folder", () => {
    expect(() => openSafetensors(path.join(root, "none"))).toThrow(expect.objectContaining({ code: "FILE_MISSING" }));
    expect(() => openSafetensors(root)).toThrow(expect.objectContaining({ code: "FILE_NOT_READABLE" }));
  });

  test("one that is cut while it is open", async () => {
    await writeSafetensors(file, [{ name: "a", dtype: "F32", shape: [100], data: new Float32Array(100) }]);
    const read = openSafetensors(file);
    await truncate(file, 200);
    expect(() => read.readFloat32("a")).toThrow(/became shorter/);
    read.close();
  });

  test("any bytes at all, and any change to a whole file, are read or refused with the project's error", async () => {
    await writeSafetensors(file, [
      { name: "a", dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      { name: "b", dtype: "BF16", shape: [3], data: Float32Array.of(1, 2, 3) },
    ]);
    const whole = readFileSync(file);
    const change = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
      const bytes = Buffer.from(whole);
      for (const [position, value] of changes) bytes[position] = value;
      return bytes;
    });
    const cut = fc.nat(whole.length).map((length) => whole.subarray(0, length));
    const header = fc.json().map((json) => bytesOf(json, 16));
    await fc.assert(
      fc.asyncProperty(fc.oneof(change, cut, header, fc.uint8Array()), async (bytes) => {
        await writeFile(file, bytes);
        readAll(file);
      }),
      { numRuns: 400 },
    );
  });
});

/** Reads everything; only a LecternError may stop it. */
function readAll(name: string): void {
  try {
    const read = openSafetensors(name);
    for (const tensor of read.names()) {
      const info: TensorInfo = read.info(tensor);
      expect(read.readRaw(tensor)).toHaveLength(elementCount(info.shape) * bytesPerElement(info.dtype));
    }
    read.close();
  } catch (error) {
    if (!(error instanceof LecternError)) throw error;
  }
}
