/**
 * The model card of an export: the original's (README.md, as huggingface.co/docs/hub/model-cards describes it) with the tags that let the Hub
 * find it, and a section that says what each file is and what it was proved to do.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse, stringify } from "yaml";
import type { ExportedFile, ExportReport } from "./export-reader.js";

const heading = "## Exported files";

/** The text of the card. */
export async function exportCard(original: string, name: string, report: ExportReport): Promise<string> {
  const before = await readFile(path.join(original, "README.md"), "utf8").catch(() => "");
  const parts = /^---\r?\n([\s\S]*?)\r?\n---\r?\n?([\s\S]*)$/.exec(before);
  const matter = frontMatter(parts?.[1]);
  const onnx = report.format === "onnx";
  const tags = [
    ...new Set([
      ...(Array.isArray(matter.tags) ? (matter.tags as unknown[]) : []),
      "lectern",
      "question-answering",
      ...(onnx ? ["onnx"] : []),
    ]),
  ];
  const kept = (parts?.[2] ?? before).split(`${heading}\n`)[0].trim();
  const fields = { ...matter, library_name: onnx ? "transformers.js" : "transformers", pipeline_tag: "question-answering", tags };
  return `---\n${stringify(fields, { lineWidth: 0 })}---\n\n${kept === "" ? `# ${name}` : kept}\n\n${section(report)}`;
}

function frontMatter(text: string | undefined): Record<string, unknown> {
  try {
    const fields: unknown = text === undefined ? {} : parse(text);
    return typeof fields === "object" && fields !== null && !Array.isArray(fields) ? (fields as Record<string, unknown>) : {};
  } catch {
    return {}; // a broken front matter says nothing
  }
}

function section(report: ExportReport): string {
  const { files } = report;
  const proofs = new Set(
    files.map(
      ({ data, proof }) =>
        `${proof.questions} questions, ${proof.windows} windows, of ${data.map((one) => `\`${path.basename(one)}\``).join(", ")}`,
    ),
  );
  const scored = files.some(({ proof }) => proof.f1 !== undefined);
  const head = [
    "file",
    "what",
    "MB",
    "largest logit difference",
    "same answers",
    ...(scored ? ["EM (original)", "F1 (original)"] : []),
    "speed",
  ];
  const rows = files.map((file) => row(file, scored));
  const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const [{ proof }] = files;
  return `${heading}

${table}

Each file was run against the original (${(report.original_bytes / 1e6).toFixed(1)} MB of weights) on ${[...proofs].join(", or ")}
before it was declared done; logits span ${proof.logit_range.toPrecision(3)}. Speed is that of the file as a multiple of the original's on the machine that exported
it, measured once. export_report.json has the figures.
${report.format === "onnx" ? usage : ""}`;
}

function row({ file, label, bytes, proof }: ExportedFile, scored: boolean): string[] {
  const points = (value: number | undefined, before: number | undefined): string =>
    value === undefined || before === undefined ? "" : `${value.toFixed(2)} (${before.toFixed(2)})`;
  return [
    `\`${file}\``,
    label.split(", ").slice(1).join(", "),
    (bytes / 1e6).toFixed(1),
    proof.largest_logit_difference.toPrecision(2),
    `${(100 * proof.same_answers).toFixed(1)} %`,
    ...(scored ? [points(proof.exact, proof.original_exact), points(proof.f1, proof.original_f1)] : []),
    `${(proof.windows_per_second / proof.original_windows_per_second).toFixed(2)}×`,
  ];
}

const usage = `
In JavaScript, with transformers.js (\`dtype\` fp32 is model.onnx, fp16 model_fp16.onnx, q8 model_quantized.onnx):

\`\`\`js
import { pipeline } from "@huggingface/transformers";
const reader = await pipeline("question-answering", "THIS_MODEL", { dtype: "fp32" });
\`\`\`
`;
