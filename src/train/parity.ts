/**
 * Parity cases: what this engine computes on a tiny model of which PyTorch's numbers are known (docs/parity.md). Logits, loss and
 * every gradient from one pass without dropout, and the losses of a training case's optimizer steps.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { openModelFolder } from "../checkpoint/model-folder.js";
import { openSafetensors, type TensorData } from "../checkpoint/safetensors.js";
import { createParameterStore, createTrainingExecutor, type MicroBatch, nativeRuntime, networkParameters, type ResidualPolicy } from "../engine/index.js";
import { clipFactor, createGradientNorm } from "../engine/optimizers/gradient-norm.js";
import { createOptimizer } from "../engine/optimizers/optimizer.js";
import { LecternError } from "../errors.js";
import { readPlainText } from "../files/plain-file.js";
import type { Encoder } from "../models/define-model.js";
import { buildModel } from "../models/index.js";
import { checkWeights, loadWeights } from "../models/weights.js";
import { readerNetwork } from "../tasks/extractive/head.js";

/** train.json of a case: the settings that matter here, and PyTorch's figures. */
const trainCaseSchema = z.object({
  optimizer: z.object({
    name: z.string(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number(),
    weight_decay: z.number(),
    clip_grad_norm: z.number(),
  }),
  no_decay: z.array(z.string()),
  lr: z.array(z.number()),
  loss: z.array(z.number()),
  grad_norm: z.array(z.number()),
  loss_after: z.number(),
  do_not_compare: z.array(z.string()).optional(),
});
type TrainCase = z.infer<typeof trainCaseSchema>;

const rows = z.array(z.array(z.number().int().nonnegative()));
const inputsSchema = z.object({
  input_ids: rows.min(1),
  attention_mask: rows.optional(),
  token_type_ids: rows.optional(),
  start_positions: z.array(z.number().int()),
  end_positions: z.array(z.number().int()),
});

export interface TrainingFigures {
  readonly loss: number[];
  readonly grad_norm: number[];
  readonly loss_after: number;
}

export interface ParityFigures {
  /** start_logits, end_logits, loss and grad.NAME, as expected.safetensors holds them. */
  readonly tensors: (TensorData & { data: Float32Array })[];
  /** Present where the case has a train.json. */
  readonly training: TrainingFigures | undefined;
}

/**
 * Computes a case's figures from its config.json, model.safetensors, inputs.json and train.json's settings alone.
 * @throws LecternError FILE_MISSING, PARITY_CASE_INVALID, and those of opening a model
 */
export async function computeParity(folder: string, options: { config?: string; residuals?: ResidualPolicy } = {}): Promise<ParityFigures> {
  const opened = await openModelFolder(folder);
  const config = options.config === undefined ? opened.config : await readJson(folder, options.config, z.record(z.string(), z.unknown()));
  const encoder = buildModel(config, { hidden: 0, attention: 0 });
  const network = readerNetwork(encoder, { maskPadding: false });
  const trainCase = existsSync(join(folder, "train.json")) ? await readJson(folder, "train.json", trainCaseSchema) : undefined;
  const declarations = new Map(
    [...networkParameters(network)].map(([name, declaration]) => [name, { ...declaration, decay: trainCase ? !trainCase.no_decay.includes(name) : declaration.decay }]),
  );
  const runtime = nativeRuntime();
  checkWeights(declarations, opened.weights, encoder.prefix);
  const store = createParameterStore(runtime, declarations, () => true);
  loadWeights(store, opened.weights, { prefix: encoder.prefix, seed: 0 });
  opened.weights.close();
  const executor = await createTrainingExecutor(runtime, network, store, { policy: options.residuals ?? "recompute", loss: "loss", seed: 0 });
  const batch = caseBatch(await readJson(folder, "inputs.json", inputsSchema), encoder, folder);
  const pass = () => {
    store.clearGradients();
    return executor.run(batch, ["start_logits", "end_logits", "loss"]);
  };
  try {
    const outputs = await pass();
    const shape = [batch.bindings.batch, batch.bindings.seq];
    const tensors = [
      { name: "start_logits", dtype: "F32" as const, shape, data: outputs.start_logits },
      { name: "end_logits", dtype: "F32" as const, shape, data: outputs.end_logits },
      { name: "loss", dtype: "F32" as const, shape: [1], data: outputs.loss },
      ...[...store.parameters.values()].map(({ name, declaration, gradient }) => ({
        name: `grad.${name}`,
        dtype: "F32" as const,
        shape: [...declaration.shape],
        data: Float32Array.from(gradient!.data as Float32Array),
      })),
    ];
    return { tensors, training: trainCase && (await trainSteps(trainCase)) };
  } finally {
    executor.release();
  }

  async function trainSteps({ optimizer: settings, lr }: TrainCase): Promise<TrainingFigures> {
    if (settings.name !== "adamw") throw invalid(folder, "optimizer adamw", settings.name);
    const [beta1, beta2] = settings.betas;
    const optimizer = await createOptimizer(runtime, store, { name: "adamw", beta1, beta2, epsilon: settings.eps, weightDecay: settings.weight_decay });
    const gradientNorm = await createGradientNorm(runtime, store);
    const loss: number[] = [];
    const grad_norm: number[] = [];
    try {
      for (const rate of lr) {
        loss.push((await pass()).loss[0]);
        const norm = await gradientNorm.compute();
        grad_norm.push(norm);
        await optimizer.update({ rate, gradientScale: clipFactor(norm, settings.clip_grad_norm) });
      }
      return { loss, grad_norm, loss_after: (await pass()).loss[0] };
    } finally {
      optimizer.release();
      gradientNorm.release();
    }
  }
}

/** One line of a comparison: the largest relative error of a kind of figure, and where. */
export interface ParityLine {
  readonly figure: "logits" | "loss" | "gradients" | "training losses" | "gradient norms";
  readonly error: number;
  readonly where: string;
  readonly tolerance: number;
}

/** What float32 allows (docs/parity.md). */
const tolerances = { logits: 1e-5, loss: 1e-5, gradients: 1e-4, "training losses": 1e-4, "gradient norms": 1e-4 } as const;

/** Compares figures with the folder's expected.safetensors and train.json. */
export async function compareParity(folder: string, figures: ParityFigures): Promise<ParityLine[]> {
  const trainCase = existsSync(join(folder, "train.json")) ? await readJson(folder, "train.json", trainCaseSchema) : undefined;
  const skipped = new Set((trainCase?.do_not_compare ?? []).map((name) => `grad.${name}`));
  const expected = openSafetensors(join(folder, "expected.safetensors"));
  const worst = new Map<ParityLine["figure"], { error: number; where: string }>();
  const note = (figure: ParityLine["figure"], where: string, error: number) => {
    const known = worst.get(figure);
    if (known === undefined || !(error <= known.error)) worst.set(figure, { error, where });
  };
  try {
    const computed = new Map(figures.tensors.map((tensor) => [tensor.name, tensor.data]));
    for (const name of expected.names()) {
      if (skipped.has(name)) continue;
      const kind = name.startsWith("grad.") ? "gradients" : name === "loss" ? "loss" : "logits";
      const ours = computed.get(name);
      note(kind, name, ours === undefined ? Infinity : relativeError(ours, expected.readFloat32(name)));
    }
  } finally {
    expected.close();
  }
  if (trainCase !== undefined && figures.training !== undefined) {
    const { training } = figures;
    [...trainCase.loss, trainCase.loss_after].forEach((value, step) =>
      note("training losses", `step ${step + 1}`, relativeError([[...training.loss, training.loss_after][step]], [value])),
    );
    trainCase.grad_norm.forEach((value, step) => note("gradient norms", `step ${step + 1}`, relativeError([training.grad_norm[step]], [value])));
  }
  return [...worst].map(([figure, found]) => ({ figure, ...found, tolerance: tolerances[figure] }));
}

/** ‖a − b‖ / max(‖b‖, 1e-6·√n) */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), 1e-6 * Math.sqrt(b.length));
}

/** inputs.json as a micro-batch; a label past the batch is ignored, one below 0 means position 0, as in transformers. */
function caseBatch(inputs: z.infer<typeof inputsSchema>, encoder: Encoder, folder: string): MicroBatch {
  const [batch, seq] = [inputs.input_ids.length, inputs.input_ids[0].length];
  if (seq < 1 || seq > encoder.maxLength) throw invalid(folder, `input_ids of 1 to ${encoder.maxLength} tokens`, String(seq));
  const integers = (name: "input_ids" | "attention_mask" | "token_type_ids", otherwise: number, below: number) => {
    const given = inputs[name] ?? inputs.input_ids.map((row) => row.map(() => otherwise));
    if (given.length !== batch || given.some((row) => row.length !== seq)) throw invalid(folder, `${name} of ${batch} × ${seq}`, `${given.flat().length} numbers`);
    const values = given.flat();
    const wrong = values.find((value) => value >= below);
    if (wrong !== undefined) throw invalid(folder, `${name} below ${below}`, String(wrong));
    return BigInt64Array.from(values, BigInt);
  };
  const positions = (name: "start_positions" | "end_positions") => {
    if (inputs[name].length !== batch) throw invalid(folder, `${batch} ${name}`, String(inputs[name].length));
    return inputs[name].map((position) => Math.max(0, position));
  };
  const weights = (at: readonly number[]) => {
    const counted = at.filter((position) => position < seq).length;
    return Float32Array.from(at, (position) => (position < seq ? 0.5 / counted : 0));
  };
  const [start, end] = [positions("start_positions"), positions("end_positions")];
  return {
    bindings: { batch, seq },
    inputs: {
      input_ids: integers("input_ids", 0, encoder.vocabularySize),
      attention_mask: integers("attention_mask", 1, 2),
      ...(encoder.tokenTypes !== undefined && { token_type_ids: integers("token_type_ids", 0, encoder.tokenTypes) }),
      start_positions: BigInt64Array.from(start, BigInt),
      end_positions: BigInt64Array.from(end, BigInt),
      start_weights: weights(start),
      end_weights: weights(end),
    },
    samples: inputs.input_ids.map((_, index) => index),
    step: 0,
  };
}

async function readJson<T>(folder: string, name: string, schema: z.ZodType<T>): Promise<T> {
  const text = readPlainText(join(folder, name), { what: "a file of a parity case (docs/parity.md)", limit: 16 * 2 ** 20 });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(folder, `JSON in ${name}`, (error as Error).message);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw invalid(folder, `a valid ${name}`, `${path.join(".") || "the file"}: ${message}`);
}

function invalid(folder: string, expected: string, received: string): LecternError {
  return new LecternError("PARITY_CASE_INVALID", { message: `${folder} is not a parity case.`, expected, received, next: "see docs/parity.md for the format" });
}
