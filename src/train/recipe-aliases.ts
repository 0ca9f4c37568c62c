/**
 * What people bring with them: the arguments of transformers' TrainingArguments (versions 2 to 5) and of its question-answering scripts
 * (run_qa.py, run_squad.py) that are not keys of a recipe, and what becomes of each. Some are other names of a key; some change nothing
 * here and are passed over; some ask for what Lectern does not do, and are refused with what to write instead unless they ask for what it
 * does anyway. docs/recipes.md has this table; a name that stands neither here nor in the schema is a slip.
 */
import type { RecipeInput } from "./recipe.js";

type Key = keyof RecipeInput;

/** Another name of a key. */
interface OtherName {
  readonly of: Key;
  /** Values that mean another one of ours; undefined: the key is as good as not given. */
  readonly values?: readonly (readonly [unknown, unknown])[];
}
/** It changes nothing: why not. */
interface WithoutEffect {
  readonly because: string;
}
/** Taken where it asks for what Lectern does; otherwise the sentence says what to write. */
interface Refused {
  readonly unless: readonly unknown[];
  readonly instead: string;
  /** The key that must be on for it to matter. */
  readonly onlyWith?: Key;
}
export type ForeignKey = OtherName | WithoutEffect | Refused;

const no = [false, "", "no", "none", 0] as const;
const because = (reason: string): WithoutEffect => ({ because: reason });
const refused = (instead: string, unless: readonly unknown[] = no): Refused => ({ unless, instead });
const ofPushing = (instead: string, unless: readonly unknown[] = no): Refused => ({ unless, instead, onlyWith: "push_to_hub" });
const named = (of: Key, values?: OtherName["values"]): OtherName => ({ of, values });

const float32 = "Lectern trains in float32 on the CPU; leave it out. An exported model can be float16 or 8-bit.";
const oneMachine = "Lectern trains on one machine's processor; leave it out.";
const own = "Lectern computes with its own engine";
const loading = "samples are in memory, and nothing waits for them";
const checkpointing = [
  [true, "checkpoint"],
  [false, undefined],
] as const;

/** Every argument that is not a key under its own name. */
export const foreignKeys: Readonly<Record<string, ForeignKey>> = {
  // Other names
  model_name_or_path: named("model"),
  model_name: named("model"),
  model_revision: named("revision"),
  train_file: named("train_files"),
  validation_file: named("eval_files"),
  eval_file: named("eval_files"),
  predict_file: named("eval_files"),
  doc_stride: named("stride"),
  max_seq_length: named("max_length"),
  max_seq_len: named("max_length"),
  max_sequence_length: named("max_length"),
  max_answer_len: named("max_answer_length"),
  n_best: named("n_best_size"),
  null_threshold: named("null_score_diff_threshold"),
  evaluation_strategy: named("eval_strategy"),
  eval_on_start: named("evaluate_before_training"),
  per_gpu_train_batch_size: named("per_device_train_batch_size"),
  per_gpu_eval_batch_size: named("per_device_eval_batch_size"),
  train_batch_size: named("per_device_train_batch_size"),
  eval_batch_size: named("per_device_eval_batch_size"),
  batch_size: named("per_device_train_batch_size"),
  epochs: named("num_train_epochs"),
  lr: named("learning_rate"),
  max_train_steps: named("max_steps"),
  lr_scheduler: named("lr_scheduler_type"),
  push_to_hub_model_id: named("hub_model_id"),
  gradient_checkpointing: named("residuals", checkpointing),
  activation_checkpointing: named("residuals", checkpointing),
  adafactor: named("optim", [
    [true, "adafactor"],
    [false, undefined],
  ]),

  // What Lectern does anyway, or not at all
  do_train: refused("`lectern train` trains; to measure or answer without training use `lectern evaluate` or `lectern predict`.", [true]),
  do_predict: refused("Answer the file afterwards: `lectern predict --model OUTPUT_DIR --data FILE --out FOLDER`."),
  test_file: refused("Answer the file afterwards: `lectern predict --model OUTPUT_DIR --data FILE --out FOLDER`."),
  max_predict_samples: refused("It is an option of `lectern predict`: --max-samples."),
  dataset_name: refused("A data set of the Hub is named as train_files=hub:ORG/NAME:CONFIGURATION:SPLIT, and eval_files likewise."),
  dataset_config_name: refused("A data set of the Hub is named as train_files=hub:ORG/NAME:CONFIGURATION:SPLIT, and eval_files likewise."),
  config_name: refused("config.json is that of the model's folder; to change it, copy the folder and edit the file."),
  tokenizer_name: refused("The tokenizer is that of the model's folder; to change it, copy the folder and replace its files."),
  cache_dir: refused("The cache is where the environment's HF_HOME or HF_HUB_CACHE says."),
  token: refused("A token is read from HF_TOKEN or the Hub's own login, never from a recipe.", [...no, true]),
  use_auth_token: refused("A token is read from HF_TOKEN or the Hub's own login, never from a recipe.", [...no, true]),
  hub_token: refused("A token is read from HF_TOKEN or the Hub's own login, never from a recipe."),
  push_to_hub_token: refused("A token is read from HF_TOKEN or the Hub's own login, never from a recipe."),
  trust_remote_code: refused("Lectern runs no code of a model's folder; leave it out."),
  fp16: refused(float32),
  bf16: refused(float32),
  fp16_full_eval: refused(float32),
  bf16_full_eval: refused(float32),
  no_cuda: refused("Lectern trains on the CPU; leave it out.", [true, false]),
  use_cpu: refused("Lectern trains on the CPU; leave it out.", [true, false]),
  use_mps_device: refused("Lectern trains on the CPU; leave it out."),
  label_smoothing_factor: refused("The loss is that of transformers' readers, without smoothing; leave it out."),
  neftune_noise_alpha: refused("Embeddings are trained without added noise; leave it out."),
  lr_scheduler_kwargs: refused("The schedules here take no further settings; leave it out."),
  optim_args: refused("Write the optimizer's settings as adam_beta1, adam_beta2, adam_epsilon and weight_decay."),
  optim_target_modules: refused("All parameters are trained; frozen_parameters leaves some out."),
  eval_delay: refused("Evaluations begin with the first eval_steps; leave it out, or raise eval_steps."),
  data_seed: refused("The order of the samples follows `seed`; write that."),
  dataloader_drop_last: refused("The last, smaller step of an epoch is trained as well; leave it out."),
  ignore_data_skip: refused("A resumed run goes on at its place in the data; leave it out."),
  save_safetensors: refused("Weights are written as safetensors only; leave it out.", [true]),
  past_index: refused("Readers have no past states; leave it out.", [-1, ...no]),
  debug: refused("Lectern has no such mode; leave it out."),
  deepspeed: refused(oneMachine),
  fsdp: refused(oneMachine),
  sharded_ddp: refused(oneMachine),
  parallelism_config: refused(oneMachine),
  tp_size: refused(oneMachine),
  mp_parameters: refused(oneMachine),
  tpu_num_cores: refused(oneMachine),
  local_rank: refused(oneMachine, [-1, ...no]),
  hub_strategy: ofPushing("A model is pushed once, at the end of the training; checkpoints stay on this machine.", ["end"]),
  push_to_hub_organization: ofPushing("Write the organisation into hub_model_id, as ORGANISATION/NAME."),

  // Without effect
  do_eval: because("what is evaluated, and when, is said by eval_files, validation_split and eval_strategy"),
  evaluate_during_training: because("eval_strategy says when to evaluate"),
  prediction_loss_only: because("an evaluation measures the answers as well"),
  save_only_model: because("a checkpoint always holds what a run needs to go on; save_total_limit keeps few"),
  group_by_length: because("the windows of a step are grouped by length anyway"),
  train_sampling_strategy: because("the windows of a step are grouped by length anyway"),
  length_column_name: because("the windows of a step are grouped by length anyway"),
  auto_find_batch_size: because("micro_batch_size: auto fits the memory, whatever the batch"),
  full_determinism: because("runs are the same bit for bit anyway"),
  max_query_length: because("questions are cut at half of max_length"),
  do_lower_case: because("the model's tokenizer says it"),
  model_type: because("the model's config.json says it"),
  use_fast_tokenizer: because("there is one tokenizer"),
  overwrite_cache: because("nothing is kept of the prepared data"),
  preprocessing_num_workers: because("data are prepared in one thread, quickly"),
  disable_tqdm: because("progress is shown on a terminal, and as lines elsewhere"),
  run_name: because("output_dir names the run"),
  project: because("output_dir names the run"),
  log_level: because("there is one way of telling; --json prints events"),
  log_level_replica: because("there is one process"),
  log_on_each_node: because("there is one process"),
  save_on_each_node: because("there is one process"),
  logging_nan_inf_filter: because("a loss that is not finite stops the run"),
  verbose_logging: because("there is one way of telling; --json prints events"),
  skip_memory_metrics: because("memory is not measured while training"),
  include_num_input_tokens_seen: because("trainer_state.json has them anyway"),
  include_tokens_per_second: because("samples a second are measured"),
  include_inputs_for_metrics: because("metrics are the reader's"),
  include_for_metrics: because("metrics are the reader's"),
  batch_eval_metrics: because("metrics are the reader's"),
  label_names: because("labels are the answers' places"),
  remove_unused_columns: because("only the fields of a question are read"),
  average_tokens_across_devices: because("there is one device"),
  dataloader_num_workers: because(loading),
  dataloader_pin_memory: because(loading),
  dataloader_persistent_workers: because(loading),
  dataloader_prefetch_factor: because(loading),
  dataloader_multiprocessing_context: because(loading),
  dataloader_in_order: because(loading),
  dispatch_batches: because(loading),
  split_batches: because(loading),
  eval_accumulation_steps: because("logits are decoded as they come"),
  eval_do_concat_batches: because("logits are decoded as they come"),
  eval_use_gather_object: because("logits are decoded as they come"),
  use_legacy_prediction_loop: because("logits are decoded as they come"),
  use_cache: because("readers have no past states"),
  tf32: because(own),
  fp16_opt_level: because(own),
  fp16_backend: because(own),
  half_precision_backend: because(own),
  torch_compile: because(own),
  torch_compile_backend: because(own),
  torch_compile_mode: because(own),
  torchdynamo: because(own),
  torch_empty_cache_steps: because(own),
  jit_mode_eval: because(own),
  use_ipex: because(own),
  use_liger_kernel: because(own),
  liger_kernel_config: because(own),
  xpu_backend: because(own),
  gradient_checkpointing_kwargs: because(own),
  activation_checkpointing_kwargs: because(own),
  accelerator_config: because(own),
  enable_jit_checkpoint: because(own),
  tpu_metrics_debug: because("there is one device"),
  fsdp_config: because("it matters only to fsdp"),
  fsdp_min_num_params: because("it matters only to fsdp"),
  fsdp_transformer_layer_cls_to_wrap: because("it matters only to fsdp"),
  ddp_backend: because("there is one process"),
  ddp_timeout: because("there is one process"),
  ddp_find_unused_parameters: because("there is one process"),
  ddp_bucket_cap_mb: because("there is one process"),
  ddp_broadcast_buffers: because("there is one process"),
  ddp_static_graph: because("there is one process"),
  ray_scope: because("lectern searches settings by itself"),
  restore_callback_states_from_checkpoint: because("a resumed run restores all that it needs"),
  trackio_space_id: because("logs go where report_to says"),
  trackio_bucket_id: because("logs go where report_to says"),
  trackio_static_space_id: because("logs go where report_to says"),
  hub_always_push: because("a model is pushed once, at the end"),
};

/** Values of transformers for keys that Lectern has too, and what they are here. */
export const foreignValues: Readonly<Partial<Record<Key, (value: unknown) => unknown>>> = {
  optim: (value) => (typeof value === "string" ? value.replace(/^adamw_(torch|hf)(_fused|_xla|_npu_fused)?$/, "adamw") : value),
  report_to: (value) => {
    const places: unknown = typeof value === "string" ? [value] : value;
    if (!Array.isArray(places)) return value;
    return places.filter((place) => place !== "none" && place !== "").map((place: unknown) => (place === "all" ? "tensorboard" : place));
  },
  // YAML 1.1 reads a bare no as false
  eval_strategy: (value) => (value === false ? "no" : value),
  save_strategy: (value) => (value === false ? "no" : value),
  logging_strategy: (value) => (value === false ? "no" : value),
};

export function foreignKey(name: string): ForeignKey | undefined {
  return Object.hasOwn(foreignKeys, name) ? foreignKeys[name] : undefined;
}

/** Whether a refused argument asks for what Lectern does anyway. */
export function asksForWhatIs({ unless }: Refused, value: unknown): boolean {
  return value === null || unless.includes(value) || (typeof value === "object" && Object.keys(value as object).length === 0);
}
