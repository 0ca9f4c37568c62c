/**
 * The model card: README.md with the YAML front matter that the Hugging Face Hub reads (huggingface.co/docs/hub/model-cards): licence,
 * language, base model, data sets, metrics and the results as a model-index. The front matter names models and data sets of the hub only; of files
 * and folders the card has the name, never where on this machine they lie.
 */
import { stringify } from "yaml";
import { lastPart } from "../checkpoint/published-text.js";
import { hubDataSet } from "../data/hub-data-sets.js";
import { ownMetricNames } from "../evaluate/own-metrics.js";
import type { Recipe } from "./recipe.js";

/** What a run knows of its model and data. */
export interface ModelCardFacts {
  /** Hub name or folder that the training started from. */
  startedFrom: string;
  /** Hub name of the model that it is made of, where that is known. */
  baseModel?: string;
  /** SPDX-like identifier as the Hub writes it (apache-2.0, mit, …), when it is known. */
  license?: string;
  /** ISO 639 codes, where they are known. */
  languages?: readonly string[];
  /** transformers' pipeline tag, e.g. question-answering. */
  pipelineTag: string;
  /** What people call the task, e.g. Extractive question answering. */
  taskName: string;
  /** Training data as the recipe names them: files, `hub:` data sets, rows. */
  trainDatasets: readonly string[];
  /** Likewise of the evaluation data. */
  evaluationDatasets: readonly string[];
  trainSamples: number;
  evaluationSamples: number;
  /** Trained parameters, frozen ones not counted. */
  trainedParameters: number;
}

/** The figures a card shows, in this order, with the names people read and those the Hub knows as metrics. */
const shownFigures = [
  { name: "eval_loss", title: "evaluation loss" },
  { name: "exact", title: "exact match", metric: "exact_match" },
  { name: "f1", title: "F1", metric: "f1" },
] as const;

/** Keys of the recipe that say how the model came about. */
const shownSettings = [
  "seed",
  "learning_rate",
  "lr_scheduler_type",
  "warmup_steps",
  "warmup_ratio",
  "per_device_train_batch_size",
  "gradient_accumulation_steps",
  "num_train_epochs",
  "max_steps",
  "optim",
  "weight_decay",
  "max_grad_norm",
  "max_length",
  "stride",
] as const;

/**
 * The text of the card.
 *
 * @param results figures as in all_results.json
 */
export function modelCard(facts: ModelCardFacts, recipe: Recipe, results: Record<string, number>): string {
  const name = lastPart(recipe.output_dir);
  return `---\n${stringify(frontMatter(name, facts, results), { lineWidth: 0 })}---\n\n${body(name, facts, recipe, results)}`;
}

function frontMatter(name: string, facts: ModelCardFacts, results: Record<string, number>): Record<string, unknown> {
  const metrics = shownFigures.flatMap((figure) =>
    "metric" in figure && figure.name in results ? [{ type: figure.metric, name: figure.title, value: results[figure.name] }] : [],
  );
  const datasets = [...new Set(facts.trainDatasets.map(hubDataSet).filter((found) => found !== undefined))];
  const evaluated = facts.evaluationDatasets.map((source) => hubDataSet(source) ?? lastPart(source)).join(", ") || "a part of the training data";
  return {
    ...(facts.license !== undefined && { license: facts.license }),
    ...(facts.languages !== undefined && { language: facts.languages }),
    library_name: "transformers",
    pipeline_tag: facts.pipelineTag,
    ...(facts.baseModel !== undefined && { base_model: facts.baseModel }),
    ...(datasets.length > 0 && { datasets }),
    tags: ["lectern", facts.pipelineTag],
    metrics: metrics.map(({ type }) => type),
    ...(metrics.length > 0 && {
      "model-index": [
        {
          name,
          results: [{ task: { type: facts.pipelineTag, name: facts.taskName }, dataset: { name: evaluated, type: evaluated }, metrics }],
        },
      ],
    }),
  };
}

function body(name: string, facts: ModelCardFacts, recipe: Recipe, results: Record<string, number>): string {
  const own = ownMetricNames().map((metric) => ({ name: metric, title: metric }));
  const figures = [...shownFigures, ...own].filter((figure) => figure.name in results);
  const evaluation =
    figures.length === 0
      ? "It was not evaluated."
      : table(
          ["figure", "before training", "after"],
          figures.map(({ name: key, title }) => [title, rounded(results[`baseline_${key}`]), rounded(results[key])]),
        );
  const settings = shownSettings.map((key) => [`\`${key}\``, String(recipe[key])]);
  return `# ${name}

${facts.taskName}, fine-tuned with Lectern from \`${facts.baseModel ?? lastPart(facts.startedFrom)}\` (${facts.trainedParameters.toLocaleString("en")} trained parameters).

## Data

Trained on ${facts.trainSamples.toLocaleString("en")} samples of ${list(facts.trainDatasets)}${
    facts.evaluationSamples > 0
      ? `; evaluated on ${facts.evaluationSamples.toLocaleString("en")} samples of ${facts.evaluationDatasets.length > 0 ? list(facts.evaluationDatasets) : "them that were held out"}`
      : ""
  }.

## Evaluation

${evaluation}

## Training

${table(["setting", "value"], settings)}

${recipeNote(results)}
`;
}

function recipeNote(results: Record<string, number>): string {
  const speed = `${rounded(results.train_samples_per_second)} samples/s, ${rounded(results.train_runtime)} s in ${results.train_steps} optimizer steps`;
  return `Training ran at ${speed}. recipe.yaml beside this file holds every setting; the same recipe, seed and data give the same model.`;
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function list(names: readonly string[]): string {
  return names.map((name) => `\`${hubDataSet(name) === undefined ? lastPart(name) : name}\``).join(", ");
}

function rounded(value: number | undefined): string {
  return value === undefined ? "–" : String(Number(value.toPrecision(4)));
}
