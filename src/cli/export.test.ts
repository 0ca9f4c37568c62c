/** `lectern export` and `lectern quantize` as they are typed, and the exported folder given to the verbs that answer. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { runVerb } from "../../test/verbs.js";
import { registerAsk } from "./ask.js";
import { registerEvaluate } from "./evaluate.js";
import { registerExport } from "./export.js";
import { registerQuantize } from "./quantize.js";

let folder: string;
const dev = join(starter, "squad/dev.json");
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-export-verb-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const exporting = (to: string, ...words: string[]) =>
  runVerb(registerExport, "export", "--model", join(folder, "tiny"), "--to", join(folder, to), ...words);
const quantizing = (to: string, ...words: string[]) =>
  runVerb(registerQuantize, "quantize", "--model", join(folder, "tiny"), "--to", join(folder, to), ...words);

describe("an exported folder", () => {
  test("is told in a table, or with --json as the report and nothing else", async () => {
    const told = await exporting("told");
    expect(told.exitCode).toBe(0);
    expect(told.stdout).toMatch(/told\nfile +MB +logits differ by +same answers +windows\/s \(original\)\nonnx\/model\.onnx +2\.\d/);
    expect(told.stderr).toContain("onnx/model.onnx: proved");
    const json = await quantizing("json", "--also", "fp32", "fp16", "--data", dev, "--max-samples", "5", "--max-f1-loss", "100", "--json");
    expect(json.stderr).toBe("");
    const report = JSON.parse(json.stdout) as { files: { file: string; proof: { f1: number } }[] };
    expect(report.files.map(({ file }) => file)).toEqual(["onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_quantized.onnx"]);
    expect(report.files[0].proof.f1).toBeTypeOf("number");
  });

  test("answers and is measured like the model itself", async () => {
    await quantizing("both", "--also", "fp32");
    const figures = async (model: string, ...words: string[]) => {
      const shared = ["--data", dev, "--max-samples", "40", "--max-length", "96", "--stride", "32", "--json"];
      const { stdout } = await runVerb(registerEvaluate, "evaluate", "--model", join(folder, model), ...shared, ...words);
      return JSON.parse(stdout) as Record<string, number>;
    };
    const [original, exported, quantised] = [
      await figures("tiny"),
      await figures("both"),
      await figures("both", "--onnx-file", "model_quantized.onnx"),
    ];
    expect([exported.exact, exported.f1]).toEqual([original.exact, original.f1]);
    expect(exported.eval_loss).toBeCloseTo(original.eval_loss, 4);
    expect(quantised.eval_loss).not.toBe(exported.eval_loss);
    await writeFile(join(folder, "text.txt"), "The tower was designed by Gustave Eiffel.");
    const ask = async (model: string) =>
      (
        await runVerb(
          registerAsk,
          "ask",
          "--model",
          join(folder, model),
          "--context",
          join(folder, "text.txt"),
          "Who designed it?",
          "--json",
        )
      ).stdout;
    const answerOf = async (model: string) => (JSON.parse(await ask(model)) as { answer: string }).answer;
    expect(await answerOf("both")).toBe(await answerOf("tiny"));
  });
});

describe("what is refused", () => {
  test.each([
    ["an unknown format", () => exporting("no", "--format", "gguf"), /--format[^]*onnx, safetensors/],
    ["an unknown type", () => exporting("no", "--dtype", "bf16"), /--dtype[^]*fp32, fp16/],
    ["a tolerance that is no number", () => exporting("no", "--tolerance", "none"), /at least 0/],
    ["a tolerance that is exceeded", () => quantizing("no", "--tolerance", "0.00001"), /EXPORT_TOLERANCE/],
    ["static quantisation without data", () => quantizing("no", "--mode", "static"), /CALIBRATION_MISSING/],
    ["a share of one half", () => quantizing("no", "--cut-off", "0.5"), /below 0\.5/],
    [
      "a model that is not there",
      () => runVerb(registerExport, "export", "--model", join(folder, "none"), "--to", join(folder, "no")),
      /FILE_MISSING/,
    ],
    [
      "a folder that is no model",
      () => runVerb(registerExport, "export", "--model", folder, "--to", join(folder, "no")),
      /MODEL_FOLDER_INCOMPLETE/,
    ],
  ])("%s", async (_, run, message) => {
    const { exitCode, stdout, stderr } = await run();
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
    expect((await readdir(folder)).filter((name) => name.includes("no."))).toEqual([]);
    expect(await readdir(folder)).not.toContain("no");
  });
});
