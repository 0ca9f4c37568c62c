/** The bundled model beside PyTorch: training steps through the recipe's own path, and a trained folder in Python's transformers. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadExamples } from "../../src/data/examples.js";
import { nativeRuntime } from "../../src/engine/index.js";
import { models } from "../../src/models/index.js";
import { collate } from "../../src/tasks/extractive/collate.js";
import { makeFeatures } from "../../src/tasks/extractive/features.js";
import { createReaderInference, openReader } from "../../src/tasks/extractive/reader.js";
import { openExtractiveRun } from "../../src/train/extractive-run.js";
import { relativeError } from "../../src/train/parity.js";
import { parseRecipe } from "../../src/train/recipe-load.js";
import { createSchedule } from "../../src/train/schedule.js";
import { starter, writeTinyReader } from "../tiny-reader.js";

const python = process.env.LECTERN_PEER_PYTHON;
const needsPython = "(needs LECTERN_PEER_PYTHON with torch and transformers)";
const program = fileURLToPath(new URL("../../reference/reader_steps.py", import.meta.url));

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-python-"))));
afterAll(() => rm(folder, { recursive: true }));

interface PythonFigures {
  start_logits: number[][];
  end_logits: number[][];
  loss?: number[];
  grad_norm?: number[];
  tokens: number[];
}

/** Windows of the bundled data as the arrays that transformers takes. */
async function windows(model: string, settings: { limit: number; maxLength: number; padTo?: number }) {
  const reader = await openReader(nativeRuntime(), model, { seed: 42, maskPadding: false });
  const { examples } = await loadExamples(join(starter, "squad/train.json"), { limit: settings.limit });
  const { features } = await makeFeatures(examples, reader.tokenizer, { maxLength: settings.maxLength, stride: 64, forTraining: true });
  const { bindings, inputs } = collate(features, reader.encoder, {
    weight: 0.5 / features.length,
    padTo: settings.padTo,
    padTypeId: reader.tokenizer.padTypeId,
  });
  const rows = (name: string) => {
    const values = Array.from(inputs[name] as BigInt64Array, Number);
    return name.endsWith("positions")
      ? values
      : Array.from({ length: bindings.batch }, (_, row) => values.slice(row * bindings.seq, (row + 1) * bindings.seq));
  };
  const names = Object.keys(inputs).filter((name) => !name.endsWith("weights"));
  return { reader, features, bindings, inputs, arrays: Object.fromEntries(names.map((name) => [name, rows(name)])) };
}

async function runPython(model: string, arrays: object, settings?: object): Promise<PythonFigures> {
  const files = [join(folder, "inputs.json"), ...(settings === undefined ? [] : [join(folder, "settings.json")])];
  await writeFile(files[0], JSON.stringify(arrays));
  if (settings !== undefined) await writeFile(files[1], JSON.stringify(settings));
  return JSON.parse(
    execFileSync(python!, [program, model, ...files], { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] }),
  ) as PythonFigures;
}

test.skipIf(!python)(`ten AdamW steps on the bundled model have PyTorch's losses and gradient norms ${needsPython}`, async () => {
  const steps = 10;
  const settings = {
    lr: 5e-5,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weight_decay: 0.01,
    clip_grad_norm: 1,
    schedule: "linear",
    warmup_steps: 2,
    steps,
  };
  const recipe = parseRecipe(
    `
model: ${join(starter, "minilm-l6")}
train_files: ${join(starter, "squad/train.json")}
max_train_samples: 8
max_length: 256
stride: 64
pad_to_max_length: true
mask_padding_in_loss: false
hidden_dropout_prob: 0
attention_probs_dropout_prob: 0
per_device_train_batch_size: 64
learning_rate: ${settings.lr}
weight_decay: ${settings.weight_decay}
max_grad_norm: ${settings.clip_grad_norm}
warmup_steps: ${settings.warmup_steps}
max_steps: ${steps}
`,
    { file: "steps.yaml" },
  );
  const run = await openExtractiveRun(recipe);
  expect(run.batches.stepsPerEpoch).toBe(1); // every step has all windows
  const model = join(folder, "untrained");
  await mkdir(model);
  await run.saveable.saveModel(model);
  const { arrays } = await windows(model, { limit: 8, maxLength: 256, padTo: 256 });
  const expected = await runPython(model, arrays, settings);
  const rate = createSchedule({ type: "linear", learningRate: settings.lr, warmupSteps: settings.warmup_steps, totalSteps: steps });
  const errors = { loss: 0, norm: 0 };
  for (let step = 0; step < steps; step++) {
    const { loss, gradientNorm } = await run.step.run(run.batches.batch(step), rate(step));
    errors.loss = Math.max(errors.loss, relativeError([loss], [expected.loss![step]]));
    errors.norm = Math.max(errors.norm, relativeError([gradientNorm], [expected.grad_norm![step]]));
  }
  expect(expected.loss![steps - 1]).toBeLessThan(expected.loss![0] - 0.5); // it did learn
  expect(errors.loss).toBeLessThan(1e-4);
  expect(errors.norm).toBeLessThan(1e-3);
  await run.close();
});

describe("a folder that was trained here", () => {
  const trained = async (model: string, output: string, ...more: string[]) => {
    const recipe = parseRecipe(
      `model: ${model}\ntrain_files: ${join(starter, "squad/train.json")}\nmax_train_samples: 16\nmax_length: 96\nstride: 32\nper_device_train_batch_size: 8`,
      { file: "t.yaml", overrides: more },
    );
    const run = await openExtractiveRun(recipe);
    for (let step = 0; step < 2; step++) await run.step.run(run.batches.batch(step), 1e-4);
    await mkdir(output);
    await run.saveable.saveModel(output);
    await run.close();
    return output;
  };

  test.skipIf(!python).each(["minilm-l6", ...models.map(({ type }) => type)])(
    `loads in transformers without a missing or unexpected key, with the same logits and tokens: %s ${needsPython}`,
    async (name) => {
      const from = name === "minilm-l6" ? join(starter, name) : await writeTinyReader(join(folder, `tiny ${name}`), { type: name });
      const model = await trained(from, join(folder, `trained ${name}`));
      const { reader, bindings, inputs, arrays } = await windows(model, { limit: 4, maxLength: 96 });
      const inference = await createReaderInference(nativeRuntime(), reader);
      const ours = await inference.run(bindings, inputs);
      const theirs = await runPython(model, arrays);
      const seen = (values: ArrayLike<number>) => Array.from(values).filter((_, at) => (inputs.attention_mask as BigInt64Array)[at] === 1n);
      for (const part of ["start_logits", "end_logits"] as const) {
        expect(relativeError(seen(ours[part]), seen(theirs[part].flat())), part).toBeLessThan(1e-4);
      }
      const [[window]] = await reader.tokenizer.encodePairs([{ first: "Who wrote it?", second: "Ada Lovelace wrote the first program." }], {
        maxLength: 64,
      });
      expect(window.ids).toEqual(theirs.tokens);
    },
  );
});
