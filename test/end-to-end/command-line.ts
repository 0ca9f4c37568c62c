/** The real command line as processes, a tiny reader to train and the files that it leaves. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, type RunningProcess, startOwn } from "../process.js";
import { starter, writeTinyReader } from "../tiny-reader.js";

export interface Workplace {
  readonly folder: string;
  /** Starts `lectern WORDS`. */
  start(...words: string[]): RunningProcess;
  /** Runs `lectern WORDS` to its end. */
  lectern(...words: string[]): Promise<Ended>;
  read(...path: string[]): Promise<Buffer>;
  json(...path: string[]): Promise<Record<string, unknown>>;
  /** Loss, gradient norm and evaluations of trainer_state.json, without times. */
  history(output: string): Promise<Record<string, number>[]>;
  remove(): Promise<void>;
}

/** 64 questions, a log every step, an evaluation and a checkpoint every four. */
const recipe = `
model: tiny
train_files: ${join(starter, "squad/train.json")}
eval_files: ${join(starter, "squad/dev.json")}
max_train_samples: 64
max_eval_samples: 8
max_length: 96
stride: 32
per_device_train_batch_size: 8
gradient_accumulation_steps: 2
max_steps: 12
learning_rate: 0.003
weight_decay: 0.01
warmup_ratio: 0.1
hidden_dropout_prob: 0.1
attention_probs_dropout_prob: 0.1
threads: 2
evaluate_before_training: false
eval_strategy: steps
eval_steps: 4
save_steps: 4
logging_steps: 1
report_to: []
`;

/** A folder with the tiny reader in `tiny` and `recipe.yaml` to train it. */
export async function openWorkplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), "lectern-end-to-end-"));
  await writeTinyReader(join(folder, "tiny"));
  await writeFile(join(folder, "recipe.yaml"), recipe);
  const start = (...words: string[]) => startOwn("src/cli/main.ts", words, { cwd: folder });
  const read = (...path: string[]) => readFile(join(folder, ...path));
  const json = async (...path: string[]) => JSON.parse((await read(...path)).toString()) as Record<string, unknown>;
  return {
    folder,
    start,
    lectern: (...words) => start(...words).ended,
    read,
    json,
    history: async (output) => {
      const { log_history } = (await json(output, "trainer_state.json")) as { log_history: Record<string, number>[] };
      return log_history.map((entry) => Object.fromEntries(Object.entries(entry).filter(([name]) => !/runtime$|_per_second$/.test(name))));
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Lines of JSON. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
