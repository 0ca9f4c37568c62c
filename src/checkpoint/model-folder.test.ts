import fc from "fast-check";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { torchCheckpoint } from "../../test/torch-archive.js";
import { LecternError } from "../errors.js";
import { parseConfigText } from "./config-json.js";
import { convertModelFolder } from "./convert.js";
import { openModelFolder, saveModelFolder } from "./model-folder.js";
import { openSafetensors, writeSafetensors, type TensorData } from "./safetensors.js";
import { openSharded, parseShardIndex } from "./sharded.js";

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "model-folder-"));
  folder = path.join(root, "model");
});
afterEach(() => rm(root, { recursive: true }));

const config = { model_type: "bert", layer_norm_eps: 1e-12, architectures: ["BertModel"] };

/** Tensors w0, w1, … of `size` values, each filled with its number plus `shift`. */
function tensorsOf(count: number, size: number, shift = 0): TensorData[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `w${i}`,
    dtype: "F32",
    shape: [size],
    data: new Float32Array(size).fill(i + shift),
  }));
}

async function firstValues(from: string): Promise<Record<string, number>> {
  const { weights } = await openModelFolder(from);
  const values = Object.fromEntries(
    weights
      .names()
      .sort()
      .map((name) => [name, weights.readFloat32(name)[0]]),
  );
  weights.close();
  return values;
}

describe("saving and opening", () => {
  test("a folder with one file of weights", async () => {
    await writeFile(path.join(root, "tokens"), "{}");
    await saveModelFolder(folder, {
      config,
      tensors: tensorsOf(2, 3),
      files: [{ name: "tokenizer.json", path: path.join(root, "tokens") }],
    });
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    const opened = await openModelFolder(folder);
    expect({ ...opened.config }).toMatchObject(config);
    expect(opened.weights.metadata).toEqual({ format: "pt" });
    opened.weights.close();
    expect(await firstValues(folder)).toEqual({ w0: 0, w1: 1 });
    expect(await readdir(root)).toEqual(["model", "tokens"]);
  });

  test("weights past the limit are cut into shards with an index as Python writes it", async () => {
    await saveModelFolder(folder, { config, tensors: tensorsOf(5, 10), maxShardBytes: 100 });
    const names = ["config.json", ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`), "model.safetensors.index.json"];
    expect((await readdir(folder)).sort()).toEqual(names);
    expect(JSON.parse(await readFile(path.join(folder, "model.safetensors.index.json"), "utf8"))).toEqual({
      metadata: { total_size: 200 },
      weight_map: { w0: names[1], w1: names[1], w2: names[2], w3: names[2], w4: names[3] },
    });
    expect(await firstValues(folder)).toEqual({ w0: 0, w1: 1, w2: 2, w3: 3, w4: 4 });
  });

  test("saving again replaces the model and keeps what else is in the folder", async () => {
    await saveModelFolder(folder, { config, tensors: tensorsOf(5, 10), maxShardBytes: 100 });
    await mkdir(path.join(folder, "checkpoint-500"));
    await writeFile(path.join(folder, "trainer_state.json"), "{}");
    await saveModelFolder(folder, { config: { model_type: "roberta" }, tensors: tensorsOf(1, 10, 7) });
    expect((await readdir(folder)).sort()).toEqual(["checkpoint-500", "config.json", "model.safetensors", "trainer_state.json"]);
    expect(await firstValues(folder)).toEqual({ w0: 7 });
    await saveModelFolder(folder, { config, tensors: tensorsOf(2, 10), maxShardBytes: 50 });
    expect((await readdir(folder)).filter((name) => name.endsWith(".safetensors"))).toHaveLength(2);
    expect(await firstValues(folder)).toEqual({ w0: 0, w1: 1 });
  });

  test("a failure while the new model is made leaves the old one", async () => {
    await saveModelFolder(folder, { config, tensors: tensorsOf(2, 10) });
    const failing = tensorsOf(2, 10, 5);
    failing[1].data = () => {
      throw new Error("the device is lost");
    };
    await expect(saveModelFolder(folder, { config, tensors: failing })).rejects.toThrow("the device is lost");
    expect(await firstValues(folder)).toEqual({ w0: 0, w1: 1 });
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors"]);
  });
});

describe("weights that PyTorch pickled", () => {
  const torchOf = (...ones: Parameters<typeof tensorsOf>) =>
    torchCheckpoint(tensorsOf(...ones).map(({ name, shape, data }) => ({ name, shape, data: data as Float32Array })));
  const files = async (contents: Record<string, string | Buffer>) => {
    await mkdir(folder);
    for (const [name, content] of Object.entries({ "config.json": JSON.stringify(config), ...contents }))
      await writeFile(path.join(folder, name), content);
  };

  test("are read where there are no others", async () => {
    await files({ "pytorch_model.bin": torchOf(3, 4, 5), "training_args.bin": "code" });
    expect(await firstValues(folder)).toEqual({ w0: 5, w1: 6, w2: 7 });
    await writeSafetensors(path.join(folder, "model.safetensors"), tensorsOf(1, 2, 9));
    expect(await firstValues(folder)).toEqual({ w0: 9 });
  });

  test("are read in parts, by their index", async () => {
    const [first, second] = [1, 2].map((part) => `pytorch_model-0000${part}-of-00002.bin`);
    const index = { metadata: { total_size: 80 }, weight_map: { w0: first, w1: first, v0: second } };
    const other = torchCheckpoint([{ name: "v0", shape: [2, 1], data: Float32Array.of(8, 9) }]);
    await files({ [first]: torchOf(2, 4), [second]: other, "pytorch_model.bin.index.json": JSON.stringify(index) });
    expect(await firstValues(folder)).toEqual({ w0: 0, w1: 1, v0: 8 });
  });

  test("become safetensors by convert, and are not copied beside them", async () => {
    await files({ "pytorch_model.bin": torchOf(3, 4, 5), "vocab.txt": "[PAD]" });
    const target = path.join(root, "converted");
    expect(await convertModelFolder(folder, target, { dtype: "F32" })).toMatchObject({
      tensors: 3,
      converted: 0,
      maxAbsoluteDifference: 0,
    });
    expect((await readdir(target)).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
    expect(await firstValues(target)).toEqual({ w0: 5, w1: 6, w2: 7 });
  });

  test("that ask for more than tensors are refused by name", async () => {
    await files({ "pytorch_model.bin": await readFile(path.join(import.meta.dirname, "../../test/torch-checkpoints/refused-system.bin")) });
    await expect(openModelFolder(folder)).rejects.toMatchObject({ code: "TORCH_REFUSED", detail: { received: "posix.system" } });
    await expect(convertModelFolder(folder, path.join(root, "converted"), { dtype: "F32" })).rejects.toMatchObject({
      code: "TORCH_REFUSED",
    });
    expect(await readdir(root)).toEqual(["model"]);
  });
});

describe("folders that cannot be opened", () => {
  const cases: [string, Record<string, string>, string, RegExp][] = [
    ["no config", { "model.safetensors": "" }, "MODEL_FOLDER_INCOMPLETE", /no config.json/],
    ["no weights", { "config.json": "{}" }, "MODEL_FOLDER_INCOMPLETE", /no weights/],
    [
      "weights of other programs alone",
      { "config.json": "{}", "tf_model.h5": "" },
      "MODEL_FOLDER_INCOMPLETE",
      /pytorch_model.bin[^]*tf_model.h5/,
    ],
    ["empty weights of PyTorch", { "config.json": "{}", "pytorch_model.bin": "" }, "TORCH_CORRUPT", /an empty file/],
    [
      "an index of PyTorch's parts that names another form",
      { "config.json": "{}", "pytorch_model.bin.index.json": '{"weight_map":{"a":"x.safetensors"}}' },
      "CHECKPOINT_INDEX_CORRUPT",
      /plain name of a .bin file/,
    ],
    ["a config that is not JSON", { "config.json": "{", "model.safetensors": "" }, "MODEL_CONFIG_CORRUPT", /config.json/],
    ["a config that is a list", { "config.json": "[]", "model.safetensors": "" }, "MODEL_CONFIG_CORRUPT", /JSON object/],
    ["empty weights", { "config.json": "{}", "model.safetensors": "" }, "SAFETENSORS_CORRUPT", /ends before its header/],
    [
      "a shard that is missing",
      { "config.json": "{}", "model.safetensors.index.json": '{"weight_map":{"a":"x.safetensors"}}' },
      "FILE_MISSING",
      /x.safetensors/,
    ],
  ];
  for (const [name, files, code, message] of cases) {
    test(name, async () => {
      await mkdir(folder);
      for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, file), text);
      await expect(openModelFolder(folder)).rejects.toMatchObject({ code });
      await expect(openModelFolder(folder)).rejects.toThrow(message);
    });
  }

  test("no folder, and a file", async () => {
    await expect(openModelFolder(folder)).rejects.toMatchObject({ code: "FILE_MISSING" });
    await writeFile(folder, "");
    await expect(openModelFolder(folder)).rejects.toThrow(/not a folder/);
  });
});

describe("an index", () => {
  const open = async (weightMap: unknown): Promise<unknown> => {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
    try {
      openSharded(path.join(folder, "model.safetensors.index.json"), openSafetensors).close();
      return undefined;
    } catch (error) {
      return error;
    }
  };

  for (const shard of [
    "../evil.safetensors",
    "/etc/evil.safetensors",
    "sub/evil.safetensors",
    "..\\evil.safetensors",
    "C:evil.safetensors",
    "passwd",
    "",
    3,
    null,
  ]) {
    test(`that points to ${JSON.stringify(shard)} is refused`, async () => {
      expect(await open({ w0: shard })).toMatchObject({ code: "CHECKPOINT_INDEX_CORRUPT" });
    });
  }

  test("whose shard is a link out of the folder is refused", async () => {
    await mkdir(folder);
    await writeSafetensors(path.join(root, "outside.safetensors"), tensorsOf(1, 1));
    await symlink("../outside.safetensors", path.join(folder, "a.safetensors"));
    expect(await open({ w0: "a.safetensors" })).toMatchObject({
      code: "FILE_OUTSIDE_FOLDER",
      message: expect.stringMatching(/outside.safetensors/) as string,
    });
  });

  test("of the hub's cache, whose shards are links to blobs, is read", async () => {
    folder = path.join(root, "models--a--b", "snapshots", "0".repeat(40));
    await mkdir(folder, { recursive: true });
    await writeSafetensors(path.join(root, "models--a--b", "blobs", "abc"), tensorsOf(1, 1));
    await symlink("../../blobs/abc", path.join(folder, "a.safetensors"));
    expect(await open({ w0: "a.safetensors" })).toBeUndefined();
  });

  test("that names a tensor its shard lacks is refused", async () => {
    await mkdir(folder);
    await writeSafetensors(path.join(folder, "a.safetensors"), tensorsOf(1, 1));
    expect(await open({ w0: "a.safetensors", w9: "a.safetensors" })).toMatchObject({
      message: expect.stringMatching(/"w9" is not in the file/) as string,
    });
  });

  test("with a tensor twice is refused", () => {
    expect(() => parseShardIndex("i", '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}')).toThrow(/key "a" twice/);
  });

  test("of any text is read or refused with the project's error", () => {
    const entries = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant("a.safetensors"), fc.jsonValue()));
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      entries.map((map) => JSON.stringify({ weight_map: map })),
    );
    fc.assert(
      fc.property(text, (index) => {
        try {
          for (const shard of parseShardIndex("index", index).weightMap.values()) expect(path.basename(shard)).toBe(shard);
        } catch (error) {
          if (!(error instanceof LecternError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("converting", () => {
  test("keeps every tensor and file, and changes the floats' type", async () => {
    const tensors: TensorData[] = [...tensorsOf(2, 4, 0.1), { name: "positions", dtype: "I64", shape: [1], data: BigInt64Array.of(5n) }];
    await saveModelFolder(folder, { config, tensors });
    await writeFile(path.join(folder, "config.json"), '{"model_type": "bert", "rope_theta": 10000.0, "torch_dtype": "float32"}\n');
    await mkdir(path.join(folder, "1_Pooling"));
    await writeFile(path.join(folder, "1_Pooling", "config.json"), "{}");
    const target = path.join(root, "half");
    const report = await convertModelFolder(folder, target, { dtype: "F16" });
    expect(report).toMatchObject({ tensors: 3, converted: 2, bytes: 24 });
    expect(report.maxAbsoluteDifference).toBeCloseTo(3.906e-4, 6);
    const half = openSafetensors(path.join(target, "model.safetensors"));
    expect(half.info("w0")).toEqual({ dtype: "F16", shape: [4] });
    expect(half.info("positions")).toEqual({ dtype: "I64", shape: [1] });
    half.close();
    expect(await readFile(path.join(target, "config.json"), "utf8")).toBe(
      '{"model_type": "bert", "rope_theta": 10000.0, "torch_dtype": "float16"}\n',
    );
    expect(existsSync(path.join(target, "1_Pooling", "config.json"))).toBe(true);
    const back = path.join(root, "back");
    expect(await convertModelFolder(target, back, { dtype: "F32" })).toMatchObject({ maxAbsoluteDifference: 0 });
    await expect(convertModelFolder(target, back, { dtype: "F32" })).rejects.toMatchObject({ code: "FOLDER_NOT_EMPTY" });
  });

  test("a value that the type cannot hold is an error, and nothing is written", async () => {
    await saveModelFolder(folder, { config, tensors: [{ name: "mask", dtype: "F32", shape: [2], data: Float32Array.of(0, -1e9) }] });
    const target = path.join(root, "half");
    await expect(convertModelFolder(folder, target, { dtype: "F16" })).rejects.toThrow(
      /"mask" has a value that F16 cannot hold[\s\S]*-1000000000/,
    );
    expect(await readdir(root)).toEqual(["model"]);
    await convertModelFolder(folder, target, { dtype: "BF16" });
  });
});

test("the bundled model is whole", async () => {
  const { config: bundled, weights } = await openModelFolder("starter/minilm-l6");
  expect(bundled["model_type"]).toBe("bert");
  expect(weights.names()).toHaveLength(104);
  expect(weights.info("embeddings.word_embeddings.weight")).toEqual({ dtype: "F16", shape: [30522, 384] });
  weights.close();
});

const python = process.env["LECTERN_PEER_PYTHON"];
test.skipIf(!python)(
  "transformers loads saved and converted folders with no missing or unexpected key (needs LECTERN_PEER_PYTHON)",
  async () => {
    const { weights } = await openModelFolder("starter/minilm-l6");
    const text = await readFile("starter/minilm-l6/config.json", "utf8");
    const bundled = parseConfigText(text.replace('"initializer_range": 0.02', '"initializer_range": 1.0'))!; // a float it must stay
    const tensors = weights.names().map((name): TensorData => ({ name, ...weights.info(name), data: () => weights.readRaw(name) }));
    const tokens = ["tokenizer.json", "tokenizer_config.json", "vocab.txt"].map((name) => ({
      name,
      path: path.join("starter/minilm-l6", name),
    }));
    await saveModelFolder(folder, { config: bundled, tensors, files: tokens });
    await saveModelFolder(path.join(root, "sharded"), { config: bundled, tensors, files: tokens, maxShardBytes: 10_000_000 });
    weights.close();
    await convertModelFolder(folder, path.join(root, "brain"), { dtype: "BF16" });
    const program = [
      "import sys, torch",
      "from transformers import AutoModel, AutoTokenizer",
      "for folder in sys.argv[1:]:",
      "    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)",
      "    assert not any(info.values()), info",
      '    ids = AutoTokenizer.from_pretrained(folder)("Who wrote it?", return_tensors="pt")',
      "    assert torch.isfinite(model(**ids).last_hidden_state).all()",
    ].join("\n");
    const child = spawnSync(python!, ["-c", program, folder, path.join(root, "sharded"), path.join(root, "brain")], { encoding: "utf8" });
    expect([child.status, child.status === 0 ? "" : child.stderr]).toEqual([0, ""]);
  },
);
