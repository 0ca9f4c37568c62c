/**
 * The recipe: one YAML file that says everything about a training run, under the names of Hugging Face's TrainingArguments (and of its
 * question-answering scripts) in snake_case. This schema is the one place that knows the keys: the checks, the help texts, the table in
 * docs/recipes.md and recipes/recipe.schema.json (for editors) are made from it.
 */
import { z } from "zod";
import { type Columns, columnsOfText, givenColumnNames } from "../data/columns.js";
import { moreIsBetter } from "./chosen-metric.js";
import { intervals } from "./due.js";
import { scheduleTypes } from "./schedule.js";

const path = (): z.ZodString => z.string().min(1);
const count = (least: number): z.ZodInt => z.int().min(least);
const share = (): z.ZodNumber => z.number().min(0).max(1);
const files = z
  .union([path(), z.array(path())])
  .transform((value) => (typeof value === "string" ? [value] : value))
  .describe("a path or a list of paths");
/** A number of optimizer steps, or below 1 a share of the run. */
const every = z
  .number()
  .positive()
  .refine((value) => value < 1 || Number.isInteger(value), { error: "must be a whole number of steps, or a share of the run below 1" });

export const recipeSchema = z.strictObject({
  // What is trained
  model: path().describe("Folder of a model, or its name on the Hugging Face Hub (ORG/NAME), to start from."),
  revision: path().optional().describe("Branch, tag or commit of a Hub model. Default: main."),
  task: z.enum(["extractive"]).default("extractive").describe("extractive: a reader that marks the answer's span in the context."),
  hidden_dropout_prob: share().optional().describe("Dropout of hidden states, instead of the one in config.json."),
  attention_probs_dropout_prob: share().optional().describe("Dropout of attention weights, instead of the one in config.json."),
  frozen_parameters: z
    .array(path())
    .default([])
    .describe("Patterns (* and ?) on the parameters' names in the checkpoint; those that match are not trained."),

  // Data
  train_files: files.describe("Training data: JSON, JSON lines, CSV, TSV or parquet, or hub:ORG/NAME; several files are read in sequence."),
  eval_files: files.default([]).describe("Evaluation data, in the same formats."),
  columns: z
    .union([
      z.string().transform((text, context) => columnsOfText(text) ?? (context.addIssue("names no column"), z.NEVER)),
      z.strictObject(Object.fromEntries(givenColumnNames.map((name) => [name, path().optional()])) as Record<keyof Columns, z.ZodOptional<z.ZodString>>),
    ])
    .optional()
    .describe("The files' own names of columns that have other names than the usual ones: {question: Frage, context: body.text}."),
  validation_split: share().default(0).describe("Share of the training samples held out for evaluation when there are no eval_files."),
  validation_seed: count(0).default(42).describe("Seed of that split."),
  max_train_samples: count(1).optional().describe("Use only the first so many training samples."),
  max_eval_samples: count(1).optional().describe("Use only the first so many evaluation samples."),
  max_bad_rows: z
    .number()
    .nonnegative()
    .default(0)
    .describe("Rows that may be unreadable, and are then left out: below 1 a share of all rows, else a number. With more, training does not start."),
  max_length: count(8).default(384).describe("Most tokens of a window: question, context and special tokens."),
  stride: count(0)
    .nullable()
    .default(128)
    .describe("Tokens that two consecutive windows of a long context share; null: one window a question, the rest of its context is dropped."),
  pad_to_max_length: z
    .boolean()
    .default(false)
    .describe("Pad every window to max_length, as the published recipes do. Slower; only for comparing figures."),
  mask_padding_in_loss: z
    .boolean()
    .default(true)
    .describe("Keep padding out of the loss's softmax. false (with pad_to_max_length) gives transformers' figures."),

  // Optimization
  num_train_epochs: z.number().positive().max(1e6).default(3).describe("Passes over the training data; may be a fraction."),
  max_steps: z.int().min(-1).default(-1).describe("Optimizer steps of the whole run; when positive it overrides num_train_epochs."),
  per_device_train_batch_size: count(1).default(8).describe("Windows in a batch."),
  gradient_accumulation_steps: count(1).default(1).describe("Batches in one optimizer step."),
  micro_batch_size: z
    .union([z.literal("auto"), count(1).max(1024)])
    .default("auto")
    .describe("Windows that go through the model at once; changes memory and speed, no result."),
  micro_batches_at_once: z
    .union([z.literal("auto"), count(1).max(64)])
    .default("auto")
    .describe(
      "Micro-batches computed side by side, each on one thread and with gradients of its own; 1 computes one on all threads. auto: one a thread where there are at most four, each has a window and 128 tokens of a step, memory allows it, and micro_batch_size is auto.",
    ),
  learning_rate: z.number().positive().default(5e-5).describe("Peak learning rate."),
  lr_scheduler_type: z.enum(scheduleTypes).default("linear").describe("How the rate falls after warm-up."),
  warmup_steps: count(0).default(0).describe("Optimizer steps over which the rate rises from 0 (as a share of the run: warmup_ratio)."),
  warmup_ratio: share().default(0).describe("The same as a share of the run."),
  optim: z.enum(["adamw", "adafactor", "sgd"]).default("adamw").describe("Optimizer."),
  weight_decay: z.number().min(0).default(0).describe("Decoupled weight decay; biases and normalisation weights are left out."),
  adam_beta1: share().default(0.9).describe("AdamW: decay of the gradient's mean."),
  adam_beta2: share().default(0.999).describe("AdamW: decay of the squared gradient's mean."),
  adam_epsilon: z.number().positive().default(1e-8).describe("AdamW: added to the denominator."),
  max_grad_norm: z.number().min(0).default(1).describe("Clip the gradient's global L2 norm to this; 0 does not clip."),
  seed: count(0).default(42).describe("Seed of new heads, of the order of samples and of dropout."),
  residuals: z
    .enum(["keep", "recompute", "checkpoint"])
    .default("recompute")
    .describe(
      "What the forward pass keeps for the backward pass: keep all (fast), recompute cheap values, or checkpoint each block (least memory).",
    ),
  threads: z
    .union([z.literal("auto"), count(1).max(1024)])
    .default("auto")
    .describe("CPU threads; auto takes one a core."),

  // Evaluation
  evaluate_before_training: z.boolean().default(true).describe("Evaluate the untouched model first, as the baseline."),
  eval_strategy: z.enum(intervals).default("no").describe("When to evaluate during training; there is always an evaluation at the end."),
  eval_steps: every.optional().describe("Optimizer steps between evaluations; below 1 a share of the run. Default: logging_steps."),
  per_device_eval_batch_size: count(1).default(8).describe("Windows in an evaluation batch."),
  n_best_size: count(1).default(20).describe("Start and end candidates considered for an answer."),
  max_answer_length: count(1).default(30).describe("Most tokens of an answer."),
  version_2_with_negative: z.boolean().default(false).describe("Answers may be empty (SQuAD 2.0), also where no question of the evaluation data is without an answer."),
  null_score_diff_threshold: z
    .number()
    .default(0)
    .describe("Answer nothing when the null score exceeds the best span's by more than this (SQuAD 2.0)."),

  // Logging, checkpoints, results
  output_dir: path().optional().describe("Folder of the results. Default: runs/ and the recipe's file name."),
  overwrite_output_dir: z
    .boolean()
    .default(false)
    .describe("Start over in an output_dir that holds a run: its checkpoints are removed. Not looked at when resuming."),
  logging_strategy: z.enum(intervals).default("steps").describe("When to log the training loss."),
  logging_steps: every.default(500).describe("Optimizer steps between log entries; below 1 a share of the run."),
  logging_first_step: z.boolean().default(false).describe("Log the first step, too."),
  logging_dir: path().optional().describe("Folder of the TensorBoard events. Default: output_dir."),
  report_to: z
    .array(z.enum(["tensorboard"]))
    .default(["tensorboard"])
    .describe("Where logs go besides trainer_state.json; [] for nowhere."),
  save_strategy: z.enum(intervals).default("steps").describe("When to save a checkpoint."),
  save_steps: every.default(500).describe("Optimizer steps between checkpoints; below 1 a share of the run."),
  save_total_limit: count(1)
    .optional()
    .describe("Keep at most so many checkpoints, the best and the newest always among them. Default: all."),
  load_best_model_at_end: z.boolean().default(false).describe("End with the best checkpoint's model instead of the last."),
  metric_for_best_model: path().optional().describe("Which evaluation metric decides: loss, f1, exact, … Default: loss."),
  greater_is_better: z.boolean().optional().describe("Whether more of that metric is better. Default: true unless its name ends in loss."),
  early_stopping_patience: count(1).optional().describe("Stop after so many evaluations without improvement. Default: never."),
  early_stopping_threshold: z.number().min(0).default(0).describe("What counts as an improvement for early stopping."),
  push_to_hub: z.boolean().default(false).describe("Push the model to the Hugging Face Hub at the end, as `lectern push` does; HF_TOKEN needs the right to write."),
  hub_model_id: path().optional().describe("ORGANISATION/NAME on the Hub. Default: the name of output_dir, in the account of the token."),
  hub_private_repo: z.boolean().default(true).describe("Make the repository on the Hub a private one, where it is made."),
  hub_revision: path().optional().describe("Branch on the Hub. Default: main."),
  resume_from_checkpoint: z
    .union([z.boolean(), path()])
    .default(false)
    .describe("true: go on from the newest whole checkpoint in output_dir; a path: from that one."),
});

/** A recipe as a person writes it. */
export type RecipeInput = z.input<typeof recipeSchema>;
type Parsed = z.output<typeof recipeSchema>;

/** A recipe with every default filled in; the optional keys that remain mean "not asked for". */
export interface Recipe extends Parsed {
  output_dir: string;
  eval_steps: number;
}

/** Fills in the defaults that depend on other keys, as TrainingArguments does. */
export function resolveRecipe(parsed: Parsed, name: string): Recipe {
  const selectsBest = parsed.load_best_model_at_end || parsed.early_stopping_patience !== undefined;
  const metric = parsed.metric_for_best_model ?? (selectsBest ? "loss" : undefined);
  return {
    ...parsed,
    output_dir: parsed.output_dir ?? `runs/${name}`,
    eval_steps: parsed.eval_steps ?? parsed.logging_steps,
    metric_for_best_model: metric,
    greater_is_better: parsed.greater_is_better ?? (metric === undefined ? undefined : moreIsBetter(metric)),
  };
}
