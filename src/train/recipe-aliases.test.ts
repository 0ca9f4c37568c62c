/** Recipes as people copy them: from TrainingArguments of several versions, from run_qa.py's command lines, and from Python's habits. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LecternError } from "../errors.js";
import { foreignKeys } from "./recipe-aliases.js";
import { recipeKeys } from "./recipe-keys.js";
import { loadRecipe, parseRecipe } from "./recipe-load.js";

const least = "model: m\ntrain_files: a.json\neval_files: b.json\n";
function read(text: string, overrides: string[] = []) {
  const notes: string[] = [];
  return { recipe: parseRecipe(text, { file: "mine.yaml", overrides, onNote: (line) => notes.push(line) }), notes };
}
function errorOf(text: string, overrides: string[] = []): LecternError {
  try {
    read(text, overrides);
  } catch (error) {
    if (error instanceof LecternError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

/** The fields of transformers' TrainingArguments 5.24, those that versions 2 to 4 had besides, and the arguments of run_qa.py. */
const trainingArguments = `output_dir per_device_train_batch_size num_train_epochs max_steps learning_rate lr_scheduler_type lr_scheduler_kwargs
  warmup_steps optim optim_args weight_decay adam_beta1 adam_beta2 adam_epsilon optim_target_modules gradient_accumulation_steps
  average_tokens_across_devices max_grad_norm label_smoothing_factor bf16 fp16 bf16_full_eval fp16_full_eval tf32 activation_checkpointing
  activation_checkpointing_kwargs gradient_checkpointing gradient_checkpointing_kwargs torch_compile torch_compile_backend torch_compile_mode
  use_liger_kernel liger_kernel_config use_cache neftune_noise_alpha torch_empty_cache_steps auto_find_batch_size logging_strategy logging_steps
  logging_first_step log_on_each_node logging_nan_inf_filter include_num_input_tokens_seen log_level log_level_replica disable_tqdm report_to
  run_name project trackio_space_id trackio_bucket_id trackio_static_space_id eval_strategy eval_steps eval_delay per_device_eval_batch_size
  prediction_loss_only eval_on_start eval_do_concat_batches eval_use_gather_object eval_accumulation_steps include_for_metrics
  batch_eval_metrics save_only_model save_strategy save_steps save_on_each_node save_total_limit enable_jit_checkpoint push_to_hub hub_token
  hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision load_best_model_at_end metric_for_best_model greater_is_better
  ignore_data_skip restore_callback_states_from_checkpoint full_determinism seed data_seed use_cpu accelerator_config parallelism_config
  dataloader_drop_last dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
  dataloader_multiprocessing_context dataloader_in_order remove_unused_columns label_names train_sampling_strategy length_column_name
  ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout fsdp fsdp_config deepspeed debug
  skip_memory_metrics do_train do_eval do_predict resume_from_checkpoint local_rank`;
const earlier = `overwrite_output_dir evaluation_strategy evaluate_during_training per_gpu_train_batch_size per_gpu_eval_batch_size warmup_ratio
  logging_dir no_cuda use_mps_device jit_mode_eval use_ipex fp16_opt_level half_precision_backend fp16_backend xpu_backend tpu_num_cores
  tpu_metrics_debug past_index group_by_length sharded_ddp fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap adafactor
  push_to_hub_model_id push_to_hub_organization push_to_hub_token mp_parameters ray_scope torchdynamo dispatch_batches split_batches
  include_inputs_for_metrics include_tokens_per_second save_safetensors use_legacy_prediction_loop tp_size`;
const script = `model_name_or_path config_name tokenizer_name cache_dir model_revision token use_auth_token trust_remote_code dataset_name
  dataset_config_name train_file validation_file test_file overwrite_cache preprocessing_num_workers max_seq_length pad_to_max_length
  max_train_samples max_eval_samples max_predict_samples version_2_with_negative null_score_diff_threshold doc_stride n_best_size
  max_answer_length model_type predict_file do_lower_case max_query_length verbose_logging`;

test("every argument of transformers is a key, or has an answer", () => {
  const keys = new Set([...recipeKeys.map(({ name }) => name), ...Object.keys(foreignKeys)]);
  expect(`${trainingArguments} ${earlier} ${script}`.split(/\s+/).filter((name) => !keys.has(name))).toEqual([]);
});

describe("a recipe copied from TrainingArguments", () => {
  test("is taken under the names that people know, and says so", () => {
    const { recipe, notes } = read(
      `model_name_or_path: m\ntrain_file: a.json\nvalidation_file: b.json\nevaluation_strategy: steps\neval_steps: 100\nlogging_dir: logs
report_to: tensorboard\ndoc_stride: 64\nmax_seq_length: 256\nper_gpu_train_batch_size: 4\noptim: adamw_torch\ngradient_checkpointing: True
do_train: True\ndo_eval: true\nfp16: False\nno_cuda: true\ndeepspeed: null\nlocal_rank: -1\nlabel_smoothing_factor: 0.0\nfsdp: []
dataloader_num_workers: 4\ndisable_tqdm: false\nlogging_strategy: steps\nrevision: None\nlearning_rate: "2e-5"\nadam_epsilon: 1e-08\nseed: '7'\n`,
    );
    expect(recipe).toMatchObject({
      model: "m",
      train_files: ["a.json"],
      eval_files: ["b.json"],
      eval_strategy: "steps",
      logging_dir: "logs",
      report_to: ["tensorboard"],
      stride: 64,
      max_length: 256,
      per_device_train_batch_size: 4,
      optim: "adamw",
      residuals: "checkpoint",
      learning_rate: 2e-5,
      adam_epsilon: 1e-8,
      seed: 7,
    });
    expect(recipe.revision).toBeUndefined();
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/^mine\.yaml: taken model_name_or_path as model, .*gradient_checkpointing as residuals: checkpoint$/);
    expect(notes[1]).toMatch(/^mine\.yaml: without effect: do_eval \(.*\), dataloader_num_workers \(samples are in memory/);
  });

  test.each([
    ["none", []],
    ["all", ["tensorboard"]],
    ["[none]", []],
    ["[all]", ["tensorboard"]],
    ["[]", []],
  ])("report_to: %s", (written, places) => {
    expect(read(`${least}report_to: ${written}\n`).recipe.report_to).toEqual(places);
  });

  test.each([
    ["fp16: true", "mine.yaml:4: fp16: true cannot be taken. Lectern trains in float32"],
    ['bf16: "True"', "float32"],
    ["deepspeed: ds.json", "one machine"],
    ["do_train: false", "lectern evaluate"],
    ["dataset_name: squad", "train_files"],
    ["label_smoothing_factor: 0.1", "without smoothing"],
    ["hub_token: hf_abc", "HF_TOKEN"],
    ["push_to_hub: true\nhub_strategy: every_save", "once, at the end"],
  ])("%s is refused with what to do instead", (line, message) => {
    const error = errorOf(`${least}${line}\n`);
    expect(error.code).toBe("RECIPE_UNSUPPORTED");
    expect(error.message).toContain(message);
  });

  test("what belongs to pushing is taken under its names, and matters only where something is pushed", () => {
    const { recipe } = read(`${least}push_to_hub: True\npush_to_hub_model_id: org/name\nhub_strategy: end\nhub_private_repo: null\nhub_revision: v2\n`);
    expect(recipe).toMatchObject({ push_to_hub: true, hub_model_id: "org/name", hub_private_repo: true, hub_revision: "v2" });
    const { notes } = read(`${least}push_to_hub: false\nhub_strategy: every_save\n`);
    expect(notes).toEqual(["mine.yaml: without effect: hub_strategy (it matters only to push_to_hub)"]);
  });

  test("a logger that is not there is named", () => {
    expect(errorOf(`${least}report_to: wandb\n`).detail).toMatchObject({ received: expect.stringContaining("wandb") as string });
  });

  test("one setting under two names is an error with both", () => {
    const error = errorOf(`${least}stride: 128\n\ndoc_stride: 128\n`);
    expect(error.code).toBe("RECIPE_CONTRADICTION");
    expect(error.message).toContain("mine.yaml:6: stride and doc_stride are two names of one setting");
  });

  test("an override wins over the file, whichever names they use", () => {
    expect(read(`${least}doc_stride: 32\n`, ["stride=16"]).recipe.stride).toBe(16);
    expect(read(`${least}stride: 32\n`, ["doc_stride=16"]).recipe.stride).toBe(16);
    expect(read(`${least}max_seq_len: 32\n`, ["max_seq_length=256"]).recipe.max_length).toBe(256);
  });

  test("a wrong value is told with the line and name that it has", () => {
    expect(errorOf(`${least}max_seq_length: long\n`).message).toMatch(/^mine\.yaml:4: max_length/);
    expect(errorOf(least, ["evaluation_strategy=often"]).message).toContain("override evaluation_strategy=often");
  });

  test("a slip in such a name has its nearest one", () => {
    expect(errorOf(`${least}evaluation_stratgy: steps\n`).message).toContain("Did you mean evaluation_strategy?");
  });
});

describe("stride", () => {
  test.each([
    ["stride: null", null],
    ["stride: ~", null],
    ["doc_stride: null", null],
    ["stride: 0", 0],
    ["stride:", 128],
    ["", 128],
  ])("%j", (line, stride) => {
    expect(read(`${least}${line}\n`).recipe.stride).toBe(stride);
  });

  test("null as an override, and nothing", () => {
    expect(read(least, ["stride=null"]).recipe.stride).toBeNull();
    expect(read(least, ["stride="]).recipe.stride).toBe(128);
  });
});

test("paths are tried beside the recipe, those of overrides are not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lectern-recipe-"));
  try {
    mkdirSync(join(folder, "model"));
    writeFileSync(join(folder, "train.json"), "{}");
    writeFileSync(join(folder, "mine.yaml"), "model: model\ntrain_files: [train.json, hub:o/n]\neval_files: package.json\n");
    const file = join(folder, "mine.yaml");
    expect(await loadRecipe(file)).toMatchObject({
      model: join(folder, "model"),
      train_files: [join(folder, "train.json"), "hub:o/n"],
      eval_files: ["package.json"],
    });
    expect((await loadRecipe(file, ["model=model"])).model).toBe("model");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
