/**
 * Keys of a recipe that are right one by one and wrong together. Each rule gives the key to point at, and the reason; most are those of
 * transformers' TrainingArguments.__post_init__.
 */
import type { Recipe } from "./recipe.js";

export interface Contradiction {
  /** The key to change, most likely. */
  key: keyof Recipe;
  reason: string;
  next: string;
}

/** The first contradiction in a recipe, if any. */
export function findContradiction(recipe: Recipe): Contradiction | undefined {
  for (const rule of rules) {
    const found = rule(recipe);
    if (found) return found;
  }
  return undefined;
}

const hasEvaluationData = (r: Recipe): boolean => r.eval_files.length > 0 || r.validation_split > 0;

const rules: readonly ((r: Recipe) => Contradiction | undefined | false)[] = [
  (r) =>
    r.train_files.length === 0 && {
      key: "train_files",
      reason: "train_files is an empty list: there is nothing to train on.",
      next: "Name at least one file.",
    },
  (r) =>
    r.stride !== null &&
    r.stride >= r.max_length && {
      key: "stride",
      reason: `stride ${r.stride} is not below max_length ${r.max_length}: consecutive windows would never get on.`,
      next: "Use a stride of about a third of max_length.",
    },
  (r) =>
    r.eval_files.length > 0 &&
    r.validation_split > 0 && {
      key: "validation_split",
      reason: "eval_files and validation_split are both given: the evaluation data would be ambiguous.",
      next: "Remove one of them.",
    },
  (r) =>
    r.validation_split >= 1 && {
      key: "validation_split",
      reason: "validation_split 1 leaves no sample to train on.",
      next: "Use a share such as 0.1.",
    },
  (r) =>
    r.eval_strategy !== "no" &&
    !hasEvaluationData(r) && {
      key: "eval_strategy",
      reason: `eval_strategy is ${r.eval_strategy}, but there is nothing to evaluate on.`,
      next: "Give eval_files or validation_split, or set eval_strategy: no.",
    },
  (r) =>
    r.early_stopping_patience !== undefined &&
    r.eval_strategy === "no" && {
      key: "early_stopping_patience",
      reason: "early_stopping_patience counts evaluations, but eval_strategy is no.",
      next: "Set eval_strategy: steps or epoch.",
    },
  (r) =>
    r.load_best_model_at_end &&
    r.eval_strategy === "no" && {
      key: "load_best_model_at_end",
      reason: "load_best_model_at_end chooses by evaluations, but eval_strategy is no.",
      next: "Set eval_strategy and save_strategy to the same value, steps or epoch.",
    },
  (r) =>
    r.load_best_model_at_end &&
    r.eval_strategy !== r.save_strategy && {
      key: "save_strategy",
      reason: `load_best_model_at_end needs a checkpoint of each evaluated step, but eval_strategy is ${r.eval_strategy} and save_strategy is ${r.save_strategy}.`,
      next: "Set both to the same value.",
    },
  (r) =>
    r.load_best_model_at_end &&
    r.save_strategy === "steps" &&
    !isMultiple(r.save_steps, r.eval_steps) && {
      key: "save_steps",
      reason: `load_best_model_at_end needs every checkpoint to be evaluated, but save_steps ${r.save_steps} is not a multiple of eval_steps ${r.eval_steps}.`,
      next: "Make save_steps a round multiple of eval_steps (eval_steps follows logging_steps when it is not given).",
    },
  (r) =>
    r.warmup_steps > 0 &&
    r.warmup_ratio > 0 && {
      key: "warmup_ratio",
      reason: "warmup_steps and warmup_ratio are both given.",
      next: "Remove one of them.",
    },
  (r) =>
    r.lr_scheduler_type === "constant" &&
    (r.warmup_steps > 0 || r.warmup_ratio > 0) && {
      key: "lr_scheduler_type",
      reason: "the schedule constant has no warm-up, but one is given.",
      next: "Use lr_scheduler_type: constant_with_warmup.",
    },
  (r) =>
    !r.mask_padding_in_loss &&
    !r.pad_to_max_length && {
      key: "mask_padding_in_loss",
      reason: "mask_padding_in_loss: false lets padding into the loss, which then depends on what a window happens to be batched with.",
      next: "Set pad_to_max_length: true with it (transformers' figures), or leave it true.",
    },
  (r) =>
    !r.version_2_with_negative &&
    r.null_score_diff_threshold !== 0 && {
      key: "null_score_diff_threshold",
      reason: "null_score_diff_threshold decides which questions have no answer, but version_2_with_negative is false.",
      next: "Set version_2_with_negative: true for SQuAD 2.0 data.",
    },
];

/** Shares and steps cannot be compared; two shares can. */
function isMultiple(outer: number, inner: number): boolean {
  if (outer < 1 !== inner < 1) return false;
  const ratio = outer / inner;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 && Math.round(ratio) >= 1;
}
