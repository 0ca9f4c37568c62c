/** Model folders made to do harm: each is an error that says what is wrong; none crashes, waits, fills the memory or is read past its folder. */
import fc from "fast-check";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyReader } from "../../../test/tiny-reader.js";
import { torchCheckpoint } from "../../../test/torch-archive.js";
import { convertModelFolder } from "../../checkpoint/convert.js";
import { openModelFolder } from "../../checkpoint/model-folder.js";
import { openSafetensors } from "../../checkpoint/safetensors.js";
import { nativeRuntime } from "../../engine/index.js";
import { LecternError } from "../../errors.js";
import { openReader, saveReader } from "./reader.js";

let root: string;
let good: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hostile-"));
  good = await writeTinyReader(join(root, "good"));
});
afterAll(() => rmSync(root, { recursive: true }));

const runtime = nativeRuntime();
const windows = process.platform === "win32";
let folders = 0;

/** A copy of the good folder with something done to it. */
function spoilt(spoil: (folder: string) => void): string {
  const folder = join(root, `model-${folders++}`);
  cpSync(good, folder, { recursive: true });
  spoil(folder);
  return folder;
}

/** What opening a folder ends with: "opened", or the error's code. Any other error fails the test. */
async function opening(folder: string): Promise<string> {
  try {
    await openReader(runtime, folder, { seed: 0, maskPadding: true });
    return "opened";
  } catch (error) {
    if (error instanceof LecternError) return error.code;
    throw error;
  }
}

const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

/** config.json with these keys in place of the good ones; values as JSON text. */
const config = (keys: Record<string, string>) => (folder: string) => {
  const before = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
  const texts = { ...Object.fromEntries(Object.entries(before).map(([key, value]) => [key, JSON.stringify(value)])), ...keys };
  writeFileSync(join(folder, "config.json"), `{${Object.entries(texts).map(([key, value]) => `"${key}": ${value}`).join(", ")}}`);
};

/** A safetensors file: the length of its header, the header, so many bytes of data. */
const weights = (header: string | Record<string, unknown>, bytes = 0, length?: bigint) => (folder: string) => {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(length ?? BigInt(json.length));
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat([first, json, Buffer.alloc(bytes)]));
};
const tensor = (offsets: unknown, shape: unknown = [1], dtype: unknown = "F32") => ({ dtype, shape, data_offsets: offsets });

/** The weights as PyTorch pickles them, in the place of safetensors. */
function pickled(folder: string): void {
  const source = openSafetensors(join(folder, "model.safetensors"));
  const tensors = source.names().map((name) => ({ name, shape: source.info(name).shape, data: source.readFloat32(name) }));
  source.close();
  rmSync(join(folder, "model.safetensors"));
  writeFileSync(join(folder, "pytorch_model.bin"), torchCheckpoint(tensors));
}
const pickledAnd = (spoil: (folder: string) => void) => (folder: string) => (pickled(folder), spoil(folder));

const replaced = (name: string, make: (file: string) => void) => (folder: string) => {
  rmSync(join(folder, name));
  make(join(folder, name));
};
const index = (weightMap: unknown) => (folder: string) => {
  rmSync(join(folder, "model.safetensors"));
  writeFileSync(join(folder, "model.safetensors.index.json"), typeof weightMap === "string" ? weightMap : JSON.stringify({ weight_map: weightMap }));
};

describe("a folder is refused with", () => {
  const cases: Record<string, [spoil: (folder: string) => void, code: string]> = {
    "a billion layers": [config({ num_hidden_layers: "1000000000" }), "BAD_MODEL_CONFIG"],
    "a width of a trillion": [config({ hidden_size: "1000000000000" }), "BAD_MODEL_CONFIG"],
    "a vocabulary that no memory holds": [config({ vocab_size: "16000000", hidden_size: "16000000", num_attention_heads: "1" }), "WEIGHT_SHAPE_MISMATCH"],
    "weights that no memory holds, and none in the file": [
      (folder) => (config({ vocab_size: "16000000", hidden_size: "1000000", num_attention_heads: "1" })(folder), weights({})(folder)),
      "WEIGHTS_UNMATCHED",
    ],
    "NaN in its config": [config({ layer_norm_eps: "NaN" }), "MODEL_CONFIG_CORRUPT"],
    "an infinite number in its config": [config({ layer_norm_eps: "1e999" }), "BAD_MODEL_CONFIG"],
    "a deep value in its config": [config({ hidden_size: deep(100_000) }), "BAD_MODEL_CONFIG"],
    "a deep model_type": [config({ model_type: deep(100_000) }), "UNKNOWN_MODEL_TYPE"],
    "__proto__ for model_type": [config({ model_type: '"__proto__"' }), "UNKNOWN_MODEL_TYPE"],
    "a model_type behind __proto__": [(folder) => writeFileSync(join(folder, "config.json"), '{"__proto__": {"model_type": "bert"}}'), "UNKNOWN_MODEL_TYPE"],
    "__proto__ for an activation": [config({ hidden_act: '"__proto__"' }), "BAD_MODEL_CONFIG"],
    "a config of a terabyte": [(folder) => truncateSync(join(folder, "config.json"), 2 ** 40), "FILE_TOO_LARGE"],
    "a config in UTF-16": [(folder) => writeFileSync(join(folder, "config.json"), "\uFEFF{}", "utf16le"), "FILE_NOT_READABLE"],
    "a folder for a config": [replaced("config.json", (file) => mkdirSync(file)), "FILE_NOT_READABLE"],

    "a header longer than any file": [weights("{}", 0, 2n ** 64n - 1n), "SAFETENSORS_CORRUPT"],
    "a header of a hundred million bytes in a file with holes": [
      (folder) => (weights("{}", 0, 99_999_999n)(folder), truncateSync(join(folder, "model.safetensors"), 2 ** 40)),
      "SAFETENSORS_CORRUPT",
    ],
    "tensors that overlap": [weights({ a: tensor([0, 4]), b: tensor([2, 6]) }, 6), "SAFETENSORS_CORRUPT"],
    "a hole between tensors": [weights({ a: tensor([0, 4]), b: tensor([8, 12]) }, 12), "SAFETENSORS_CORRUPT"],
    "a negative offset": [weights({ a: tensor([-4, 0]) }), "SAFETENSORS_CORRUPT"],
    "a fractional offset": [weights({ a: tensor([0.5, 4.5]) }, 8), "SAFETENSORS_CORRUPT"],
    "an offset past 2^53": [weights('{"a":{"dtype":"F32","shape":[1],"data_offsets":[9007199254740993,9007199254740997]}}', 4), "SAFETENSORS_CORRUPT"],
    "an offset that is a text": [weights({ a: tensor(["0", "4"]) }, 4), "SAFETENSORS_CORRUPT"],
    "a shape whose product overflows": [weights({ a: tensor([0, 0], [2 ** 32, 2 ** 32, 2 ** 32]) }), "SAFETENSORS_CORRUPT"],
    "a shape of infinity times nothing": [weights({ a: tensor([0, 0], [...Array<number>(40).fill(2 ** 50), 0]) }), "SAFETENSORS_CORRUPT"],
    "a negative size": [weights({ a: tensor([0, 4], [-1, -1]) }, 4), "SAFETENSORS_CORRUPT"],
    "a tensor twice": [weights(`{"a":${JSON.stringify(tensor([0, 4]))},"a":${JSON.stringify(tensor([0, 4]))}}`, 4), "SAFETENSORS_CORRUPT"],
    "a type that is not one": [weights({ a: tensor([0, 4], [1], "toString") }, 4), "SAFETENSORS_CORRUPT"],
    "a deep type": [weights(`{"a":{"dtype":${deep(100_000)},"shape":[],"data_offsets":[0,0]}}`), "SAFETENSORS_CORRUPT"],
    "deep metadata": [weights(`{"__metadata__":${deep(100_000)}}`), "SAFETENSORS_CORRUPT"],
    "metadata that are numbers": [weights({ __metadata__: { format: 1 } }), "SAFETENSORS_CORRUPT"],
    "a header that is a list": [weights("[]"), "SAFETENSORS_CORRUPT"],
    "a folder for weights": [replaced("model.safetensors", (file) => mkdirSync(file)), "FILE_NOT_READABLE"],

    "weights of PyTorch cut short": [pickledAnd((folder) => truncateSync(join(folder, "pytorch_model.bin"), 50_000)), "TORCH_CORRUPT"],
    "weights of PyTorch of a terabyte": [pickledAnd((folder) => truncateSync(join(folder, "pytorch_model.bin"), 2 ** 40)), "TORCH_CORRUPT"],
    "a folder for weights of PyTorch": [pickledAnd(replaced("pytorch_model.bin", (file) => mkdirSync(file))), "FILE_NOT_READABLE"],
    "a pickle alone": [pickledAnd((folder) => writeFileSync(join(folder, "pytorch_model.bin"), "cos\nsystem\n(S'true'\ntR.")), "TORCH_CORRUPT"],

    "a shard outside": [index({ a: "../../../../etc/passwd" }), "CHECKPOINT_INDEX_CORRUPT"],
    "a shard at an absolute path": [index({ a: "/etc/passwd.safetensors" }), "CHECKPOINT_INDEX_CORRUPT"],
    "a shard on another drive": [index({ a: "C:\\secret.safetensors" }), "CHECKPOINT_INDEX_CORRUPT"],
    "a shard that is a device of Windows": [index({ a: "NUL.safetensors" }), "CHECKPOINT_INDEX_CORRUPT"],
    "a shard that is no text": [index(`{"weight_map": {"a": ${deep(100_000)}}}`), "CHECKPOINT_INDEX_CORRUPT"],
    "a shard that is not there": [index({ a: "b.safetensors" }), "FILE_MISSING"],
    "an index with __proto__": [index('{"__proto__": {"weight_map": {}}}'), "CHECKPOINT_INDEX_CORRUPT"],

    "a deep tokenizer": [(folder) => writeFileSync(join(folder, "tokenizer.json"), `{"model": ${deep(100_000)}}`), "TOKENIZER_CORRUPT"],
    "a tokenizer of a terabyte": [(folder) => truncateSync(join(folder, "tokenizer.json"), 2 ** 40), "FILE_TOO_LARGE"],
    "a tokenizer that is a list": [(folder) => writeFileSync(join(folder, "tokenizer.json"), "[]"), "TOKENIZER_CORRUPT"],
    "a folder for a tokenizer": [replaced("tokenizer.json", (file) => mkdirSync(file)), "FILE_NOT_READABLE"],
  };
  for (const [name, [spoil, code]] of Object.entries(cases)) {
    test(name, async () => expect(await opening(spoilt(spoil))).toBe(code));
  }

  const links = ["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json"];
  for (const name of links) {
    const made = name === "pytorch_model.bin" ? pickledAnd : (spoil: (folder: string) => void) => spoil;
    test.skipIf(windows)(`a link out of it for ${name}`, async () => {
      const outside = join(root, `outside-${name}`);
      const folder = spoilt(made((place) => cpSync(join(place, name), outside)));
      replaced(name, (file) => symlinkSync(outside, file))(folder);
      expect(await opening(folder)).toBe("FILE_OUTSIDE_FOLDER");
    });
    test.skipIf(windows)(`a pipe for ${name}`, async () => {
      expect(await opening(spoilt(made(replaced(name, (file) => void spawnSync("mkfifo", [file])))))).toBe("FILE_NOT_READABLE");
    });
  }

  test("nothing: weights of PyTorch open as safetensors do", async () => expect(await opening(spoilt(pickled))).toBe("opened"));

  test("nothing left in the prototype of all objects", () => expect(Object.keys(Object.prototype)).toEqual([]));
});

test.skipIf(windows)("what a killed save left is completed in the folder alone, not through a link", async () => {
  const victim = join(root, "victim");
  mkdirSync(victim);
  writeFileSync(join(victim, "key"), "secret");
  writeFileSync(join(victim, "config.json.obsolete"), "");
  const folder = spoilt((made) => symlinkSync(victim, join(made, ".lectern-commit")));
  expect(await opening(folder)).toBe("opened");
  expect(readdirSync(victim).sort()).toEqual(["config.json.obsolete", "key"]);
  const upwards = spoilt((made) => (mkdirSync(join(made, ".lectern-commit")), writeFileSync(join(made, ".lectern-commit", "...obsolete"), "")));
  expect(await opening(upwards)).toBe("opened");
});

test.skipIf(windows)("a copy of a model holds nothing from outside it", async () => {
  writeFileSync(join(root, "secret"), "secret");
  const refused = expect.objectContaining({ code: "FILE_OUTSIDE_FOLDER" }) as Error;
  for (const name of ["notes.txt", "vocab.txt"]) {
    const folder = spoilt((made) => symlinkSync(join(root, "secret"), join(made, name)));
    await expect(convertModelFolder(folder, join(root, "converted"), { dtype: "F16" })).rejects.toThrow(refused);
    if (name === "vocab.txt") {
      const reader = await openReader(runtime, folder, { seed: 0, maskPadding: true });
      await expect(saveReader(join(root, "saved"), reader)).rejects.toThrow(refused);
    }
  }
  const within = spoilt((made) => (mkdirSync(join(made, "sub")), symlinkSync("../config.json", join(made, "sub", "config.json"))));
  await convertModelFolder(within, join(root, "converted"), { dtype: "F16" });
  expect(readdirSync(join(root, "converted", "sub"))).toEqual(["config.json"]);
});

test.skipIf(windows)("a tensor in a file with holes is not asked of the memory", async () => {
  const size = 2 ** 42;
  const folder = spoilt((made) => {
    weights({ a: tensor([0, size], [size / 4]) })(made);
    truncateSync(join(made, "model.safetensors"), size + readFileSync(join(made, "model.safetensors")).length);
  });
  const opened = await openModelFolder(folder);
  expect(() => opened.weights.readRaw("a")).toThrow(expect.objectContaining({ code: "TENSOR_TOO_LARGE" }));
  expect(() => opened.weights.readFloat32("a")).toThrow(expect.objectContaining({ code: "TENSOR_TOO_LARGE" }));
  opened.weights.close();
});

/** Bytes of a valid file with some flipped, cut off, or pasted elsewhere. */
function mutated(bytes: Buffer): fc.Arbitrary<Buffer> {
  const place = fc.oneof(fc.nat(Math.min(bytes.length, 2000) - 1), fc.nat(bytes.length - 1));
  return fc.oneof(
    fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 8 }).map((flips) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of flips) copy[at] = value;
      return copy;
    }),
    place.map((length) => bytes.subarray(0, length)),
    fc.tuple(place, place, fc.nat(40)).map(([from, to, length]) => Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, from + length), bytes.subarray(to)])),
  );
}

/** The real vocabulary takes most of the time of opening a folder. */
function quickTokenizer(folder: string): void {
  rmSync(join(folder, "tokenizer.json"));
  writeFileSync(join(folder, "vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n");
}

describe("a valid file with a few bytes changed opens or is an error of ours", () => {
  const files = [["config.json", 300], ["model.safetensors", 300], ["pytorch_model.bin", 100], ["tokenizer_config.json", 60], ["tokenizer.json", 40]] as const;
  for (const [name, numRuns] of files) {
    test(name, async () => {
      const folder = spoilt(name === "tokenizer.json" ? () => undefined : quickTokenizer);
      if (name === "pytorch_model.bin") pickled(folder);
      const bytes = readFileSync(join(folder, name));
      await fc.assert(
        fc.asyncProperty(mutated(bytes), async (changed) => {
          writeFileSync(join(folder, name), changed);
          await opening(folder);
        }),
        { numRuns },
      );
    });
  }
});
