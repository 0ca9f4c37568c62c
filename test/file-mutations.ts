/**
 * A process that reads files of every kind that Lectern reads, each with some of its bytes changed: it must be read, or be an error of ours,
 * soon. What is native ends the process where it fails: that this one lives to print "all N" is the result. Arguments: a folder to work in, a
 * seed, how many changes of each kind of file.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModelFolder } from "../src/checkpoint/model-folder.js";
import { openTorchFile } from "../src/checkpoint/torch-read.js";
import type { WeightSource } from "../src/checkpoint/weight-source.js";
import { loadExamples } from "../src/data/examples.js";
import { nativeRuntime } from "../src/engine/index.js";
import { randomGenerator } from "../src/engine/random.js";
import { LecternError } from "../src/errors.js";
import { readPredictions } from "../src/evaluate/squad-files.js";
import { exportReader } from "../src/export/export-reader.js";
import { QuestionAnswerer } from "../src/tasks/extractive/question-answerer.js";
import { Tokenizer } from "../src/text/tokenizer.js";
import { latestCheckpoint } from "../src/train/checkpoints.js";
import { loadRecipe, parseRecipe } from "../src/train/recipe-load.js";
import { trainRun } from "../src/train/train-run.js";
import { openFakeRun } from "./fake-run.js";
import { sentencePieceModel, starter, writeTinyReader } from "./tiny-reader.js";

const [folder, seed, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const random = randomGenerator(seed);
const below = (limit: number): number => Math.floor(random.uniform() * limit);
const runtime = nativeRuntime({ threads: 1 });
const testFolder = fileURLToPath(new URL(".", import.meta.url));

/** A file that is whole, and what reads it. */
interface Kind {
  readonly file: string;
  readonly read: (file: string) => Promise<unknown>;
}

const question = { question: "Who came?", context: "Ada came to the old house by the river." };
const readAll = (weights: WeightSource): void => {
  try {
    for (const name of weights.names()) weights.readRaw(name);
  } finally {
    weights.close();
  }
};
const ask = async (model: string): Promise<unknown> => {
  const answerer = await QuestionAnswerer.from(model, { runtime });
  try {
    return await answerer.answer([question]);
  } finally {
    answerer.release();
  }
};
const data = (file: string): Promise<unknown> => loadExamples(file, { split: "evaluation" });
const tokenizer = async (file: string): Promise<unknown> => {
  const opened = await Tokenizer.fromFolder(dirname(file));
  return opened.encodePairs([{ first: question.question, second: question.context }], { maxLength: 64 });
};

async function kinds(): Promise<Kind[]> {
  const at = (name: string): string => join(folder, "whole", name);
  const text = (name: string, content: unknown): string => {
    writeFileSync(at(name), typeof content === "string" ? content : JSON.stringify(content));
    return at(name);
  };
  mkdirSync(at("."), { recursive: true });
  const [reader, sentencePieces, onnx] = [at("reader"), at("pieces"), at("onnx")];
  await writeTinyReader(reader);
  await writeTinyReader(sentencePieces, { type: "deberta-v2", config: { vocab_size: 601 }, tokenizer: [sentencePieceModel] });
  await exportReader(reader, onnx, { runtime, format: "onnx", types: ["fp32"] });
  rmSync(join(onnx, "model.safetensors"), { force: true });
  const recipe = parseRecipe(`model: m\ntrain_files: a\nsave_steps: 20\nreport_to: []\noutput_dir: ${at("run")}\n`, {
    file: "a.yaml",
    overrides: ["max_steps=40"],
  });
  for await (const { type } of trainRun(recipe, openFakeRun(recipe, {}))) if (type === "done") break;
  const checkpoint = join(at("run"), "checkpoint-40");
  const ofRun = (file: string): Promise<unknown> => latestCheckpoint(dirname(dirname(file)));
  const squad = JSON.parse(readFileSync(join(starter, "squad/dev.json"), "utf8")) as { version: string; data: object[] };
  const rows = Array.from({ length: 5 }, (_, id) => ({ id, ...question, answers: { text: ["Ada"], answer_start: [0] } }));
  return [
    { file: join(reader, "config.json"), read: (file) => ask(dirname(file)) },
    { file: join(reader, "model.safetensors"), read: async (file) => readAll((await openModelFolder(dirname(file))).weights) },
    { file: join(reader, "tokenizer.json"), read: tokenizer },
    { file: join(reader, "tokenizer_config.json"), read: tokenizer },
    { file: join(sentencePieces, "spm.model"), read: tokenizer },
    { file: join(onnx, "onnx/model.onnx"), read: (file) => ask(dirname(dirname(file))) },
    ...["kinds.bin", "legacy.bin", "views.bin"].map((name) => ({
      file: join(testFolder, "torch-checkpoints", name),
      read: async (file: string) => Promise.resolve(readAll(openTorchFile(file))),
    })),
    { file: text("squad.json", { ...squad, data: squad.data.slice(0, 1) }), read: data },
    { file: text("rows.json", rows), read: data },
    { file: text("rows.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join("")), read: data },
    {
      file: text(
        "rows.csv",
        `id;question;context;answer\n${rows.map(({ id, ...row }) => `${id};${row.question};"${row.context} ""Who?""";Ada\n`).join("")}`,
      ),
      read: data,
    },
    { file: join(testFolder, "squad-columns-zstd.parquet"), read: data },
    { file: text("predictions.json", { a: "Ada", b: "" }), read: readPredictions },
    {
      file: text("recipe.yaml", "model: m\ntrain_files: [a.json]\nlearning_rate: 3e-5\nnum_train_epochs: 2\n"),
      read: (file) => loadRecipe(file),
    },
    ...["trainer_state.json", "weights.json", "SHA256SUMS"].map((name) => ({ file: join(checkpoint, name), read: ofRun })),
  ];
}

const numbers = ["-1", "1e999", "99999999999999999999", "0.5", "null", '"1"', "2147483648"];
/** What a disk, a copy, a hand or somebody of ill will does to a file. */
const changes: ((bytes: Buffer) => Buffer)[] = [
  (bytes) => flipped(bytes, 1),
  (bytes) => flipped(bytes, 16),
  (bytes) => bytes.subarray(0, below(bytes.length)),
  (bytes) => Buffer.concat([bytes, bytes.subarray(below(bytes.length))]),
  (bytes) => spliced(bytes, Buffer.alloc(0), below(64)),
  (bytes) => spliced(bytes, bytes.subarray(below(bytes.length)).subarray(0, below(64)), 0),
  (bytes) => spliced(bytes, Buffer.alloc(1 + below(16), 255), 8),
  (bytes) => spliced(bytes, Buffer.alloc(1 + below(4096)), 16),
  (bytes) => spliced(bytes, Buffer.from("[".repeat(20_000)), 0),
  (bytes) => spliced(bytes, Buffer.from('{"a":'.repeat(20_000)), 0),
  otherNumber,
];

function flipped(bytes: Buffer, bits: number): Buffer {
  const copy = Buffer.from(bytes);
  for (let bit = 0; bit < bits; bit++) copy[below(copy.length)] ^= 1 << below(8);
  return copy;
}

/** Takes some bytes out at a place and puts others in. */
function spliced(bytes: Buffer, put: Buffer, take: number): Buffer {
  const place = below(bytes.length);
  return Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + take)]);
}

function otherNumber(bytes: Buffer): Buffer {
  const found = [...bytes.subarray(0, 100_000).toString("latin1").matchAll(/\d+/g)];
  if (found.length === 0) return flipped(bytes, 2);
  const { index, 0: digits } = found[below(found.length)];
  return Buffer.concat([bytes.subarray(0, index), Buffer.from(numbers[below(numbers.length)]), bytes.subarray(index + digits.length)]);
}

const patience = 20_000;
const endings = new Map<string, number>();
for (const { file, read } of await kinds()) {
  const bytes = readFileSync(file);
  for (let round = -1; round < count; round++) {
    const change = round % changes.length;
    const mutated = round < 0 ? bytes : changes[change](bytes);
    // The file's whole folder, as it is looked at together; a checkpoint's is that of its run.
    const tree = /checkpoint-40|onnx/.test(file) ? dirname(dirname(file)) : dirname(file);
    const copy = join(folder, "changed");
    rmSync(copy, { recursive: true, force: true });
    if (tree === join(folder, "whole") || tree.startsWith(testFolder)) mkdirSync(copy);
    else cpSync(tree, copy, { recursive: true });
    const target = join(copy, file.slice(tree.length));
    writeFileSync(target, mutated);
    const started = Date.now();
    let ending = "read";
    try {
      await read(target);
    } catch (error) {
      if (!(error instanceof LecternError) || round < 0) {
        console.log(`${basename(file)}, change ${change} of round ${round}, seed ${seed}:`);
        throw error;
      }
      ending = "refused";
    }
    if (Date.now() - started > patience)
      throw new Error(`${basename(file)}, change ${change} of round ${round}: took ${Date.now() - started} ms`);
    if (round < 0) continue;
    const key = `${basename(file, extname(file))}${extname(file)} ${ending}`;
    endings.set(key, (endings.get(key) ?? 0) + 1);
  }
}
console.log(JSON.stringify(Object.fromEntries(endings), undefined, 1));
console.log(`all ${[...endings.values()].reduce((sum, one) => sum + one, 0)}`);
