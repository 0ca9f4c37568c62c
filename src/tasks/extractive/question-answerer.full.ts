/** The same answers, places and scores as transformers' question-answering pipeline, on real questions with several windows and without answer. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter } from "../../../test/tiny-reader.js";
import { loadExamples } from "../../data/examples.js";
import { train } from "../../train/train-recipe.js";
import type { AnswerOptions } from "./answer-options.js";
import type { Answer } from "./answer-spans.js";
import { QuestionAnswerer } from "./question-answerer.js";

const python = process.env.LECTERN_PEER_PYTHON;
const reference = fileURLToPath(new URL("../../../reference/question_answering.py", import.meta.url));
/** Scores are probabilities; float32 logits of two libraries differ in the sixth digit. */
const tolerance = 1e-4;

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-pipeline-"));
  if (python !== undefined) model = await trainBriefly();
}, 300_000);
afterAll(() => rm(folder, { recursive: true }));

/** Less than the quickstart: enough that answers are not all alike. */
async function trainBriefly(): Promise<string> {
  const recipe = fileURLToPath(new URL("../../../recipes/quickstart.yaml", import.meta.url));
  const files = [`model=${starter}minilm-l6`, `train_files=${starter}squad/train.json`, `eval_files=${starter}squad/dev.json`];
  const overrides = [
    ...files,
    "max_steps=25",
    "max_eval_samples=4",
    "evaluate_before_training=false",
    `output_dir=${join(folder, "trained")}`,
  ];
  return (await train(recipe, { overrides })).model;
}

interface Case {
  question: string;
  context: string;
  options: AnswerOptions;
}

const settings: AnswerOptions[] = [
  {},
  { top_k: 5 },
  { top_k: 5, max_seq_len: 96, doc_stride: 32 },
  { top_k: 3, handle_impossible_answer: true, max_seq_len: 128 },
  { handle_impossible_answer: true },
  { top_k: 5, max_answer_len: 3, max_seq_len: 80, doc_stride: 0 },
];
const alignments: AnswerOptions[] = [
  { top_k: 5, align_to_words: false },
  { top_k: 5, align_to_words: true },
];

async function cases(): Promise<Case[]> {
  const { examples } = await loadExamples(join(starter, "squad/dev.json"), { limit: 16 });
  const asked = examples.map(({ question, context }) => ({ question: question.trim(), context }));
  asked.push(
    { question: "Who wrote it?", context: "  \r\n\r\n The book 😀 was written\tby  Ada\u00a0Lovelace, né\u0301e Byron 👩‍👩‍👧, in   1843.\r\n" },
    { question: "מי כתב?", context: "הספר נכתב על ידי עדה. مرحبا بالعالم 1843 שלום. 漢字𠀀𠀁 der Straße" },
    { question: "Where [SEP] is it?", context: "It [CLS] is in [SEP] London, [MASK] not in [UNK] Paris." },
  );
  const last = { question: "Who?", context: "Ada.", options: { top_k: 4, handle_impossible_answer: true } };
  const all = (options: AnswerOptions, some = asked) => some.map((one) => ({ ...one, options }));
  return [...settings.flatMap((options) => all(options)), ...alignments.flatMap((options) => all(options, asked.slice(-6))), last];
}

function expectAlike(ours: readonly Answer[], theirs: readonly Answer[], about: string): void {
  expect(ours.length, about).toBeGreaterThanOrEqual(theirs.length); // the pipeline gives fewer than top_k where its candidates are few texts
  // Where two scores are closer than the tolerance, either may come first.
  theirs.forEach((expected, place) => {
    expect(Math.abs(ours[place].score - expected.score), `${about}: ${JSON.stringify({ place, ours, theirs })}`).toBeLessThan(tolerance);
    const alike = ours.filter(({ score }) => Math.abs(score - expected.score) < tolerance);
    const isLast = expected.score - theirs[theirs.length - 1].score < tolerance;
    const key = ({ start, end, answer }: Answer) => JSON.stringify([start, end, answer]);
    if (alike.length === 1 || !isLast) expect(alike.map(key), about).toContain(key(expected));
  });
}

describe.skipIf(python === undefined || !existsSync(python))(
  "beside Python (needs LECTERN_PEER_PYTHON with torch and transformers)",
  () => {
    test("answers, offsets and scores are the pipeline's", async () => {
      const asked = await cases();
      const file = join(folder, "questions.json");
      await writeFile(file, JSON.stringify(asked));
      const printed = execFileSync(python!, [reference, model, file], {
        encoding: "utf8",
        maxBuffer: 1 << 28,
        stdio: ["ignore", "pipe", "ignore"],
      });
      const theirs = JSON.parse(printed) as Answer[][];
      const reader = await QuestionAnswerer.from(model);
      let several = 0;
      for (const [index, { question, context, options }] of asked.entries()) {
        const [prepared] = await reader.prepare([{ question, context }], options);
        if (prepared.windows.length > 1) several++;
        const [ours] = await reader.answerPrepared([prepared]);
        expectAlike(ours, theirs[index], `${question} ${JSON.stringify(options)}`);
      }
      expect(several).toBeGreaterThan(20);
      expect(theirs.some((answers) => answers.some(({ answer }) => answer === ""))).toBe(true);
      reader.release();
    });
  },
);
