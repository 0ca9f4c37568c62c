/**
 * The architectures beside one another, for docs/choosing-a-model.md: parameters, size, and how long an answer takes on this machine. The models
 * have the published configurations and random weights, which cost as much time as trained ones; what they score is taken from their publishers.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadExamples } from "../src/data/examples.js";
import { networkParameters } from "../src/engine/block/block.js";
import { nativeRuntime } from "../src/engine/index.js";
import { evaluateModel } from "../src/evaluate/evaluate-model.js";
import { buildModel } from "../src/models/index.js";
import { writeFreshReader } from "../src/tasks/extractive/fresh-reader.js";
import { readerNetwork } from "../src/tasks/extractive/head.js";

interface Candidate {
  /** On the Hub. */
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** F1 on SQuAD's development sets, by those who published the model or a comparison with it. */
  readonly squad1?: number;
  readonly squad2?: number;
  readonly source?: keyof typeof sources;
}

/** Where the published scores stand. */
export const sources = {
  a: "https://huggingface.co/microsoft/MiniLM-L12-H384-uncased",
  b: "https://arxiv.org/abs/1910.01108",
  c: "https://arxiv.org/abs/2004.02984",
  d: "https://github.com/google-research/albert",
  e: "https://huggingface.co/microsoft/deberta-v3-base",
} as const;

const debertaV3 = {
  ...{
    model_type: "deberta-v2",
    vocab_size: 128100,
    max_position_embeddings: 512,
    type_vocab_size: 0,
    relative_attention: true,
    position_buckets: 256,
  },
  ...{
    norm_rel_ebd: "layer_norm",
    share_att_key: true,
    pos_att_type: ["p2c", "c2p"],
    position_biased_input: false,
    max_relative_positions: -1,
  },
};
const base = { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072 };

/** From the fewest operations to the most, roughly. */
export const candidates: readonly Candidate[] = [
  {
    name: "nreimers/MiniLM-L6-H384-uncased",
    config: {
      model_type: "bert",
      vocab_size: 30522,
      hidden_size: 384,
      num_hidden_layers: 6,
      num_attention_heads: 12,
      intermediate_size: 1536,
    },
  },
  {
    name: "google/electra-small-discriminator",
    config: {
      model_type: "electra",
      vocab_size: 30522,
      embedding_size: 128,
      hidden_size: 256,
      num_hidden_layers: 12,
      num_attention_heads: 4,
      intermediate_size: 1024,
    },
  },
  {
    name: "microsoft/MiniLM-L12-H384-uncased",
    config: {
      model_type: "bert",
      vocab_size: 30522,
      hidden_size: 384,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 1536,
    },
    ...{ squad2: 81.7, source: "a" },
  },
  {
    name: "google/mobilebert-uncased",
    config: { model_type: "mobilebert", vocab_size: 30522 },
    ...{ squad1: 90.0, squad2: 79.2, source: "c" },
  },
  { name: "distilbert-base-uncased", config: { model_type: "distilbert", vocab_size: 30522 }, ...{ squad1: 86.9, source: "b" } },
  {
    name: "microsoft/deberta-v3-xsmall",
    config: { ...debertaV3, hidden_size: 384, num_hidden_layers: 12, num_attention_heads: 6, intermediate_size: 1536 },
    ...{ squad2: 84.8, source: "e" },
  },
  {
    name: "microsoft/deberta-v3-small",
    config: { ...debertaV3, hidden_size: 768, num_hidden_layers: 6, num_attention_heads: 12, intermediate_size: 3072 },
    ...{ squad2: 82.8, source: "e" },
  },
  { name: "bert-base-uncased", config: { model_type: "bert", vocab_size: 30522, ...base }, ...{ squad1: 88.5, squad2: 77.1, source: "c" } },
  { name: "albert-base-v2", config: { model_type: "albert", vocab_size: 30000, ...base }, ...{ squad1: 90.2, squad2: 82.1, source: "d" } },
  {
    name: "google/electra-base-discriminator",
    config: { model_type: "electra", vocab_size: 30522, embedding_size: 768, ...base },
  },
  {
    name: "roberta-base",
    config: { model_type: "roberta", vocab_size: 50265, max_position_embeddings: 514, type_vocab_size: 1, ...base },
    ...{ squad2: 83.7, source: "e" },
  },
  { name: "microsoft/mpnet-base", config: { model_type: "mpnet", vocab_size: 30527, max_position_embeddings: 514, ...base } },
  {
    name: "camembert-base",
    config: { model_type: "camembert", vocab_size: 32005, max_position_embeddings: 514, type_vocab_size: 1, ...base },
  },
  {
    name: "xlm-roberta-base",
    config: { model_type: "xlm-roberta", vocab_size: 250002, max_position_embeddings: 514, type_vocab_size: 1, ...base },
  },
  { name: "microsoft/deberta-v3-base", config: { ...debertaV3, ...base }, ...{ squad2: 88.4, source: "e" } },
  { name: "answerdotai/ModernBERT-base", config: { model_type: "modernbert", vocab_size: 50368, max_position_embeddings: 8192 } },
];

/** The tokenizer that all are measured with. */
const vocabulary = 30522;
const questions = 40;

export interface ModelFigures extends Omit<Candidate, "config"> {
  /** With the published vocabulary. */
  readonly parameters: number;
  /** Of model.safetensors in float32. */
  readonly megabytes: number;
  readonly latency_median_ms: number;
  readonly latency_p99_ms: number;
  readonly questions_per_second: number;
}

/** Measures every candidate, or those whose names contain `only`. */
export async function benchModels(root: string, only = ""): Promise<{ questions: number; models: ModelFigures[] }> {
  const folder = await mkdtemp(join(tmpdir(), "lectern-bench-models-"));
  const { examples } = await loadExamples(join(root, "starter", "squad", "dev.json"), { limit: questions });
  const runtime = nativeRuntime();
  const models: ModelFigures[] = [];
  try {
    for (const { config, ...candidate } of candidates.filter(({ name }) => name.includes(only))) {
      const parameters = countParameters(config);
      const model = join(folder, candidate.name.replaceAll("/", "--"));
      await writeFreshReader(model, { config: { ...config, ...fitsTokenizer(config) }, tokenizer: join(root, "starter", "minilm-l6") });
      const { metrics } = await evaluateModel(model, examples, { runtime, maxLength: 384, stride: null, latencyQuestions: questions });
      await rm(model, { recursive: true });
      const { latency_median_ms, latency_p99_ms, samples_per_second: questions_per_second } = metrics;
      models.push({ ...candidate, parameters, megabytes: (4 * parameters) / 1e6, latency_median_ms, latency_p99_ms, questions_per_second });
      process.stderr.write(`${candidate.name}: ${latency_median_ms.toFixed(0)} ms\n`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { questions, models };
}

/** What differs in the models that are measured, so that they take the bundled tokenizer: none of it costs time. */
function fitsTokenizer({ type_vocab_size: types }: Record<string, unknown>): Record<string, unknown> {
  return { vocab_size: vocabulary, pad_token_id: 0, ...(types === 1 && { type_vocab_size: 2 }) };
}

/** Parameters of a reader with this configuration. */
export function countParameters(config: Record<string, unknown>): number {
  const parameters = networkParameters(readerNetwork(buildModel(config), { maskPadding: true }));
  return [...parameters.values()].reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

const marks = ["<!-- the table: npm run bench -- models -->", "<!-- the table's end -->"];

/** The table of docs/choosing-a-model.md, with what it was measured on. */
export function modelsTable({ models }: { models: readonly ModelFigures[] }, machine: string): string {
  const published = (value: number | undefined, source: string | undefined): string =>
    value === undefined ? "" : `${value.toFixed(1)} [${source}]`;
  const rows = models.map((model) =>
    [
      `| ${model.name}`,
      (model.parameters / 1e6).toFixed(0),
      model.megabytes.toFixed(0),
      model.latency_median_ms.toFixed(0),
      model.latency_p99_ms.toFixed(0),
      model.questions_per_second.toFixed(1),
      published(model.squad1, model.source),
      `${published(model.squad2, model.source)} |`,
    ].join(" | "),
  );
  return [
    "| model | million parameters | MB in float32 | one answer, ms (median) | ms (99 of 100) | questions/s in batches | F1, SQuAD 1.1 | F1, SQuAD 2.0 |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
    `Measured on ${machine}. Scores as published: ${Object.entries(sources)
      .map(([letter, address]) => `[${letter}]: ${address}`)
      .join(", ")}.`,
  ].join("\n");
}

/** Puts the table in its place in the document. */
export function writeModelsTable(file: string, table: string): void {
  const [before, rest] = readFileSync(file, "utf8").split(marks[0]);
  writeFileSync(file, `${before}${marks[0]}\n${table}\n${marks[1]}${rest.split(marks[1])[1]}`);
}
