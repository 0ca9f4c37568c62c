/**
 * Lectern as a library. The engine on its own is `lectern/engine`.
 *
 * @example
 * import { QuestionAnswerer, train } from "lectern";
 * const { model } = await train("recipes/quickstart.yaml");
 * const reader = await QuestionAnswerer.from(model);
 */
export { train, type TrainedModel, type TrainOptions } from "./train/train-recipe.js";
export { loadRecipe, parseRecipe, recipeToYaml } from "./train/recipe-load.js";
export type { Recipe, RecipeInput } from "./train/recipe.js";
export type { TrainEvent } from "./train/events.js";
export type { ModelCardFacts } from "./train/model-card.js";
export type { BatchOrder, Evaluator, Run, Saveable, StepResult, TrainStep } from "./train/run.js";
export { trainRun } from "./train/train-run.js";

export { type AnswersFor, type CallOptions, type OpenOptions, QuestionAnswerer } from "./tasks/extractive/question-answerer.js";
export type { PreparedQuestion, Question } from "./tasks/extractive/prepared-question.js";
export type { AnswerOptions, ResolvedAnswerOptions } from "./tasks/extractive/answer-options.js";
export type { AlignToWords } from "./tasks/extractive/answer-places.js";
export type { Answer } from "./tasks/extractive/answer-spans.js";

export { type DecodedAnswers, decodeAnswers, type DecodeOptions, type Span, type SpanLogits } from "./tasks/extractive/decode.js";
export { type Collated, collate, type CollateOptions } from "./tasks/extractive/collate.js";
export { type Feature, type FeatureOptions, type FeatureReport, makeFeatures } from "./tasks/extractive/features.js";
export { type FreshReaderOptions, writeFreshReader } from "./tasks/extractive/fresh-reader.js";
export { type Inferred, type InferOptions, inferSpans } from "./tasks/extractive/infer.js";
export { createReaderInference, openReader, type Reader, type ReaderOptions, saveReader } from "./tasks/extractive/reader.js";
export { defineModel, type ModelDefinition, registerModel } from "./models/index.js";

export { type DataReport, type DataSource, loadExamples, type LoadOptions, type QaExample } from "./data/examples.js";
export type { NamedRows, QuestionRow, Rows } from "./data/given-rows.js";
export { registerDataForm } from "./data/forms/index.js";
export { type DataForm, defineDataForm, type ReadForm, type UnreadForm } from "./data/forms/data-form.js";
export { type BadRow, orBadRow, type RawAnswer, type RawQuestion } from "./data/raw-question.js";
export type { Fields, Place } from "./data/fields.js";
export type { DataFile } from "./data/question-files.js";
export { shuffled, splitExamples } from "./data/splits.js";
export { evaluateModel, type ModelEvaluation, type ModelEvaluationOptions } from "./evaluate/evaluate-model.js";
export type { ExampleResult } from "./evaluate/example-results.js";
export { type Metric, registerMetric } from "./evaluate/own-metrics.js";
export { readBaselineFigures, type BaselineFigures } from "./evaluate/baseline-figures.js";
export { type EvaluatedModel, type ReportInput } from "./evaluate/report/report-data.js";
export { writeReport, type WrittenReport } from "./evaluate/report/write-report.js";
export { type BootstrapOptions, type BootstrapResult, pairedBootstrap } from "./evaluate/bootstrap.js";
export { predict, type Predicted, type PredictOptions } from "./evaluate/predict.js";
export { evaluateSquad1, evaluateSquad2, type Predictions, type Squad1Metrics, type Squad2Metrics } from "./evaluate/squad.js";

export { type Encoding, Tokenizer } from "./text/tokenizer.js";
export { type ExportedFile, type ExportOptions, type ExportReport, exportReader } from "./export/export-reader.js";
export { resolveModel } from "./checkpoint/hub.js";
export { pushModel, type PushOptions, type PushReport } from "./checkpoint/hub-push.js";
export { type ModelFolder, openModelFolder } from "./checkpoint/model-folder.js";

export { type ErrorCode, type ErrorDetail, InternalError, LecternError } from "./errors.js";
