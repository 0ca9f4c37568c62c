/** `lectern inspect`: what is in a data set and how long it is in a model's tokens, before anything is trained on it. */
import path from "node:path";
import type { Command } from "commander";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import { resolveModel } from "../checkpoint/hub.js";
import type { Columns } from "../data/columns.js";
import { type DataReport, loadExamples } from "../data/examples.js";
import { type Finding, findingsAsLines } from "../data/findings.js";
import { type LengthStatistics, lengthStatistics, shareOver } from "../data/lengths.js";
import { dataWarnings } from "../data/report-lines.js";
import { LecternError } from "../errors.js";
import { type FeatureReport, makeFeatures } from "../tasks/extractive/features.js";
import { measureTokenLengths, type TokenLengths } from "../tasks/extractive/token-lengths.js";
import { Tokenizer } from "../text/tokenizer.js";
import { namedColumns, wholeNumber, windowStride, withExamples } from "./help.js";
import { Output } from "./output.js";

interface InspectOptions {
  model: string;
  columns?: Columns;
  maxLength: number;
  stride: number | null;
  out: string;
  maxSamples?: number;
  json: boolean;
}

/** What --json prints. */
interface Inspection {
  data: DataReport;
  model: string;
  maxLength: number;
  stride: number | null;
  /** In tokens, one value a sample. */
  lengths: Record<keyof TokenLengths, LengthStatistics>;
  /** The share of samples, from 0 to 1, that are longer than a limit. */
  over: { what: keyof TokenLengths; limit: number; share: number }[];
  windows: FeatureReport & { perExample: LengthStatistics };
  /** The file of all findings, as JSON lines. */
  findings: string;
  histograms: string[];
}

/** Usual limits: lengths of windows, of questions in the question-answering pipeline, of answers when decoding. */
const usualLimits: { what: keyof TokenLengths; limit: number }[] = [
  ...[128, 256, 384, 512].map((limit) => ({ what: "pair" as const, limit })),
  { what: "question", limit: 64 },
  { what: "answer", limit: 30 },
];

export function registerInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description("count a data set, measure it in a model's tokens, and find rows and answers that are not as they should be")
    .argument("<data...>", "files with questions: JSON, JSON lines, CSV, TSV or parquet, or hub:ORG/NAME")
    .requiredOption(
      "--model <model>",
      "whose tokens to measure by: a model folder, or ORGANISATION/NAME[@REVISION] on the Hugging Face Hub",
    )
    .option("--columns <names>", "the files' own names of columns: question=Frage,context=Text", namedColumns)
    .option("--max-length <tokens>", "tokens of a window", wholeNumber(1), 384)
    .option("--stride <tokens>", "tokens by which windows overlap; none: one window a question", windowStride, 128)
    .option("--max-samples <n>", "use only the first so many questions", wholeNumber(1))
    .option("--out <folder>", "where the histograms are written, and all findings as JSON lines, to correct the data by", "runs/inspect")
    .option("--json", "print the result as one line of JSON", false)
    .action(async (data: string[], options: InspectOptions) => {
      const output = new Output(options.json);
      const inspection = await inspect(data, options);
      output.result(inspection, () => describe(inspection));
    });
  withExamples(command, [
    { line: "lectern inspect starter/squad/train.json --model starter/minilm-l6", does: "the data that the quickstart trains on" },
    {
      line: "lectern inspect a.json b.parquet --model bert-base-uncased --max-length 256",
      does: "several files, for windows of 256 tokens",
    },
  ]);
}

async function inspect(data: string[], { model, columns, maxLength, stride, out, maxSamples }: InspectOptions): Promise<Inspection> {
  const findings: Finding[] = [];
  const { examples, report } = await loadExamples(data, { columns, limit: maxSamples, onFinding: (finding) => findings.push(finding) }).catch(
    async (error: unknown) => {
      if (findings.length === 0 || !(error instanceof LecternError)) throw error;
      const file = await writeFindings(out, findings); // a file none of whose rows can be read has the most to correct
      const next = `${error.detail.next ?? ""} What was found in all rows is in ${file}.`.trimStart();
      throw new LecternError(error.code, { ...error.detail, next }, { cause: error });
    },
  );
  const tokenizer = await Tokenizer.fromFolder(await resolveModel(model));
  const lengths = await measureTokenLengths(examples, tokenizer);
  const { features, report: windows } = await makeFeatures(examples, tokenizer, { maxLength, stride: stride ?? undefined, forTraining: false });
  const windowsOf = new Array<number>(examples.length).fill(0);
  for (const feature of features) windowsOf[feature.exampleIndex]++;
  const limits = usualLimits.some(({ what, limit: usual }) => what === "pair" && usual === maxLength)
    ? usualLimits
    : [{ what: "pair" as const, limit: maxLength }, ...usualLimits];
  return {
    data: report,
    model,
    maxLength,
    stride,
    lengths: {
      question: lengthStatistics(lengths.question),
      context: lengthStatistics(lengths.context),
      pair: lengthStatistics(lengths.pair),
      answer: lengthStatistics(lengths.answer),
    },
    over: limits.map(({ what, limit: most }) => ({ what, limit: most, share: shareOver(lengths[what], most) })),
    windows: { ...windows, perExample: lengthStatistics(windowsOf) },
    findings: await writeFindings(out, findings),
    histograms: await writeHistograms(out, lengths),
  };
}

async function writeFindings(folder: string, findings: readonly Finding[]): Promise<string> {
  const file = path.join(folder, "findings.jsonl");
  await writeFileAtomic(file, findingsAsLines(findings));
  return file;
}

async function writeHistograms(folder: string, lengths: TokenLengths): Promise<string[]> {
  const { histogramSvg } = await import("../data/histogram.js"); // ECharts takes a third of a second to load: only this verb pays for it
  const files: string[] = [];
  for (const [what, title] of [
    ["question", "Questions"],
    ["context", "Contexts"],
    ["answer", "Answers"],
  ] as const) {
    const file = path.join(folder, `${what}-lengths.svg`);
    await writeFileAtomic(file, histogramSvg({ title: `${title}: length in tokens`, unit: "tokens", values: lengths[what] }));
    files.push(file);
  }
  return files;
}

const names: Record<keyof TokenLengths, string> = {
  question: "question",
  context: "context",
  pair: "question and context",
  answer: "answer",
};

function describe({ data, maxLength, stride, lengths, over, windows, findings, histograms }: Inspection): string {
  const count = (value: number) => value.toLocaleString("en-US");
  const percent = (share: number) => `${(100 * share).toFixed(share > 0 && share < 0.001 ? 3 : 1)}%`;
  const warnings = dataWarnings(data);
  return [
    ...table([
      ...data.files.map(({ path: file, format, form = "no form", version, questions }) => [
        file,
        `${count(questions)} questions, ${form}${version === undefined ? "" : ` ${version}`} in ${format}`,
      ]),
      ["examples", count(data.examples)],
      ["contexts", count(data.contexts)],
      ...(data.titles > 0 ? [["titles", count(data.titles)]] : []),
      ["answers", count(data.answers)],
      ["without answer", `${count(data.impossible)} (${percent(data.impossible / data.examples)})`],
      ["repaired answers", count(data.repaired)],
      ["lost answers", count(data.lost)],
      ...(data.blankContexts > 0 ? [["on blank contexts", count(data.blankContexts)]] : []),
      ...(data.repeatedIds > 0 ? [["repeated ids", count(data.repeatedIds)]] : []),
      ...(data.badRows > 0 ? [["rows that cannot be read", count(data.badRows)]] : []),
    ]),
    "",
    ...table([
      ["tokens", "mean", "median", "90%", "95%", "99%", "longest"],
      ...(["question", "context", "answer", "pair"] as const).map((what) => {
        const { mean, p50, p90, p95, p99, max } = lengths[what];
        return [names[what], mean.toFixed(1), ...[p50, p90, p95, p99, max].map((value) => count(Math.round(value)))];
      }),
    ]),
    "",
    ...table(over.map(({ what, limit, share }) => [`${names[what]} over ${limit} tokens`, percent(share)])),
    "",
    `windows of ${maxLength} tokens, stride ${stride ?? "none"}`,
    ...table([
      ["windows", `${count(windows.windows)} (${windows.perExample.mean.toFixed(2)} an example, ${windows.perExample.max} at most)`],
      ["without answer", `${count(windows.windowsWithoutAnswer)} (${percent(windows.windowsWithoutAnswer / windows.windows)})`],
      ["answers in no window whole", count(windows.answersCutOff)],
      ["questions cut", count(windows.questionsCut)],
    ]),
    ...(warnings.length > 0 ? ["", ...warnings] : []),
    "",
    findings,
    ...histograms,
  ].join("\n");
}

/** Lines with the first column to the left, and the others to the right when there are several. */
function table(rows: string[][]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 || columns === 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
