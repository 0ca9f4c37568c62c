/** Exports of tiny readers: laid out as others expect, proved, and nothing left behind where the proof fails. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { readOnnxHeader } from "../engine/index.js";
import { models } from "../models/index.js";
import { inferSpans } from "../tasks/extractive/infer.js";
import { QuestionAnswerer } from "../tasks/extractive/question-answerer.js";
import { createReaderInference, openReader } from "../tasks/extractive/reader.js";
import { type ExportOptions, exportReader } from "./export-reader.js";
import { proofData } from "./proof.js";
import { sampleExamples } from "./sample.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-export-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const runtime = testRuntime();
const run = (to: string, options: Partial<ExportOptions> = {}, model = "tiny") =>
  exportReader(join(folder, model), join(folder, to), { format: "onnx", types: ["fp32"], runtime, ...options });
const open = (name: string, onnxFile?: string) => openReader(runtime, join(folder, name), { seed: 1, maskPadding: true, onnxFile });
const json = async (...path: string[]) => JSON.parse(await readFile(join(folder, ...path), "utf8")) as Record<string, unknown>;
const listed = async (name: string) => (await readdir(join(folder, name), { recursive: true })).sort();

describe("a folder of ONNX files", () => {
  test("is laid out as transformers.js and Optimum expect, and says what it is", async () => {
    const report = await run("all", { types: ["fp32", "fp16", "int8"], optimized: true });
    expect(await listed("all")).toEqual([
      "README.md",
      "config.json",
      "export_report.json",
      "onnx",
      ...["model.onnx", "model_fp16.onnx", "model_optimized.onnx", "model_optimized_quantized.onnx", "model_quantized.onnx"].map((name) =>
        join("onnx", name),
      ),
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(await json("all", "export_report.json")).toEqual(JSON.parse(JSON.stringify(report)));
    expect(report.files.map(({ file, type }) => [file, type])).toEqual([
      ["onnx/model.onnx", "fp32"],
      ["onnx/model_optimized.onnx", "fp32"],
      ["onnx/model_fp16.onnx", "fp16"],
      ["onnx/model_quantized.onnx", "int8"],
      ["onnx/model_optimized_quantized.onnx", "int8"],
    ]);
    const card = await readFile(join(folder, "all/README.md"), "utf8");
    expect(card).toMatch(/^---\n[^]*library_name: transformers\.js[^]*- onnx[^]*---\n\n# all\n/);
    expect(card.match(/## Exported files/g)).toHaveLength(1);
    for (const { file, bytes } of report.files)
      expect([card.includes(`\`${file}\``), (await stat(join(folder, "all", file))).size]).toEqual([true, bytes]);

    const shape = ["batch_size", "sequence_length"];
    for (const [name, domains, arithmetic] of [
      ["model", [""], "fp32"],
      ["model_optimized", ["", "com.microsoft"], "fp32"],
      ["model_fp16", [""], "fp16"],
      ["model_quantized", [""], "int8 dynamic"],
    ] as const) {
      const { inputs, outputs, opsets, metadata } = readOnnxHeader(await readFile(join(folder, `all/onnx/${name}.onnx`)));
      expect(inputs).toEqual(["input_ids", "attention_mask", "token_type_ids"].map((input) => ({ name: input, dtype: "int64", shape })));
      expect(outputs).toEqual(["start_logits", "end_logits"].map((output) => ({ name: output, dtype: "float32", shape })));
      expect([Object.keys(opsets), opsets[""]]).toEqual([domains, 17]);
      expect(metadata).toMatchObject({ task: "question-answering", model_type: "bert", arithmetic });
      expect(metadata.label).toContain(`tiny, ${arithmetic}`);
    }
  });

  test.each(models.map(({ type }) => type))("%s: every type is proved", async (type) => {
    await writeTinyReader(join(folder, type), { type });
    const { files } = await run(`${type} exported`, { types: ["fp32", "fp16", "int8"] }, type);
    for (const { file, proof } of files) {
      expect([file, proof.windows >= proof.questions]).toEqual([file, true]);
      expect(proof.largest_logit_difference).toBeLessThanOrEqual(proof.tolerance);
      expect(proof.same_answers).toBeGreaterThan(0.5);
    }
    expect(files[0].proof.same_answers).toBe(1);
  });

  test("is a reader: the same logits and loss as the original, in batches with padding", async () => {
    await run("plain");
    const [original, exported] = [await open("tiny"), await open("plain")];
    expect(exported.onnx?.file).toContain("model.onnx");
    const { features } = await proofData(original, (await sampleExamples()).slice(0, 9), true);
    const [expected, actual] = await Promise.all(
      [original, exported].map(async (reader) =>
        inferSpans(reader, await createReaderInference(runtime, reader), features, { batchSize: 4, padTo: 128 }),
      ),
    );
    expect(actual.loss).toBeCloseTo(expected.loss, 5);
    actual.logits.forEach(({ start }, index) =>
      start.forEach((value, token) => expect(value).toBeCloseTo(expected.logits[index].start[token], 4)),
    );
  });

  test("with data says what becomes of EM and F1", async () => {
    const { files } = await run("scored", { types: ["int8"], data: [join(starter, "squad/dev.json")], maxSamples: 20, maxF1Loss: 100 });
    expect(files[0].proof).toMatchObject({ questions: 20 });
    for (const figure of ["exact", "original_exact", "f1", "original_f1"] as const) expect(files[0].proof[figure]).toBeTypeOf("number");
    expect(await readFile(join(folder, "scored/README.md"), "utf8")).toContain("F1 (original)");
  });

  test("static scales come from calibration data", async () => {
    const calibrate = [join(starter, "squad/train.json")];
    for (const cutOff of [0, 1e-3]) {
      const to = `static ${cutOff}`;
      const report = await run(to, { types: ["int8"], mode: "static", calibrate, calibrationSamples: 12, cutOff });
      expect(report.calibration).toEqual({ data: calibrate, questions: 12, cut_off: cutOff });
      const bytes = await readFile(join(folder, to, "onnx/model_quantized.onnx"));
      expect([bytes.includes("QuantizeLinear"), bytes.includes("DynamicQuantizeLinear")]).toEqual([true, false]);
    }
  });

  test("large weights lie in a file of their own, which transformers.js is told of", async () => {
    const { files } = await run("external", { types: ["fp32", "int8"], externalDataFrom: 1_500_000 });
    expect(await readdir(join(folder, "external/onnx"))).toEqual(["model.onnx", "model.onnx_data", "model_quantized.onnx"]);
    expect((await stat(join(folder, "external/onnx/model.onnx"))).size).toBeLessThan(100_000);
    expect(files[0].bytes).toBeGreaterThan(1_900_000);
    expect(await json("external", "config.json")).toMatchObject({
      "transformers.js_config": { use_external_data_format: { "model.onnx": true } },
    });
  });

  test("keeps what the original's card says, and its own section once", async () => {
    await cp(join(folder, "tiny"), join(folder, "carded"), { recursive: true });
    await writeFile(
      join(folder, "carded/README.md"),
      "---\nlicense: mit\ntags: [mine]\n---\n\n# Carded\n\nText.\n\n## Exported files\n\nold\n",
    );
    await run("card", {}, "carded");
    const card = await readFile(join(folder, "card/README.md"), "utf8");
    expect(card).toMatch(/license: mit\n[^]*- mine\n[^]*# Carded\n\nText\.\n\n## Exported files/);
    expect(card).not.toContain("old");
  });
});

describe("a folder that holds an export of the same model", () => {
  const report = async (name: string) => (await json(name, "export_report.json")) as unknown as Awaited<ReturnType<typeof exportReader>>;

  test("is added to: each file is proved, the others stay, and the report tells of all", async () => {
    const first = await run("side by side", { externalDataFrom: 1_500_000 });
    const { ino } = await stat(join(folder, "side by side/onnx/model.onnx"));
    const dev = [join(starter, "squad/dev.json")];
    const second = await run("side by side", { types: ["int8"], data: dev, maxSamples: 10, maxF1Loss: 100 });
    expect(second.files.map(({ file, data }) => [file, data])).toEqual([
      ["onnx/model.onnx", ["bundled sample"]],
      ["onnx/model_quantized.onnx", dev],
    ]);
    expect(second.files[0]).toEqual(first.files[0]);
    expect(await report("side by side")).toEqual(JSON.parse(JSON.stringify(second)));
    expect(await readdir(join(folder, "side by side/onnx"))).toEqual(["model.onnx", "model.onnx_data", "model_quantized.onnx"]);
    expect((await stat(join(folder, "side by side/onnx/model.onnx"))).ino).toBe(ino);
    expect(await json("side by side", "config.json")).toMatchObject({
      "transformers.js_config": { use_external_data_format: { "model.onnx": true } },
    });
    const card = await readFile(join(folder, "side by side/README.md"), "utf8");
    for (const text of ["`onnx/model.onnx`", "`onnx/model_quantized.onnx`", "`bundled sample`, or 10 questions"])
      expect(card).toContain(text);
    expect(card).not.toContain("undefined");
    for (const file of ["model", "model_quantized"]) expect((await open("side by side", `${file}.onnx`)).onnx).toBeDefined();

    await run("side by side"); // once more, with the weights inside
    expect(await readdir(join(folder, "side by side/onnx"))).toEqual(["model.onnx", "model_quantized.onnx"]);
    expect((await report("side by side")).files.map(({ file }) => file)).toEqual(["onnx/model_quantized.onnx", "onnx/model.onnx"]);
    expect(await json("side by side", "config.json")).not.toHaveProperty(["transformers.js_config"]);
  });

  test("is left as it was where a proof fails", async () => {
    await run("whole");
    const before = await report("whole");
    const names = await listed("whole");
    await expect(run("whole", { types: ["int8"], tolerance: 1e-7 })).rejects.toMatchObject({ code: "EXPORT_TOLERANCE" });
    expect([await report("whole"), await listed("whole")]).toEqual([before, names]);
  });

  test("of another model, of another form, or changed since, is refused", async () => {
    await run("mine");
    await writeTinyReader(join(folder, "another"), { seed: 9 });
    await expect(run("mine", { types: ["int8"] }, "another")).rejects.toThrow(/an export of another model/);
    await expect(run("mine", { format: "safetensors" })).rejects.toThrow(/an export as onnx, and this one is safetensors/);
    await truncate(join(folder, "mine/onnx/model.onnx"), 1000);
    await expect(run("mine", { types: ["int8"] })).rejects.toThrow(/no longer the file that was proved/);
  });
});

describe("a folder in safetensors form", () => {
  test.each(["fp32", "fp16"] as const)("%s: opens as the same reader", async (type) => {
    const { files } = await run(`safe ${type}`, { format: "safetensors", types: [type] });
    expect(files[0]).toMatchObject({ file: "model.safetensors", type });
    const reader = await open(`safe ${type}`);
    expect(reader.loaded).toMatchObject({ missing: [], unused: [] });
    expect(await json(`safe ${type}`, "config.json")).toMatchObject({
      architectures: ["BertForQuestionAnswering"],
      torch_dtype: type === "fp16" ? "float16" : "float32",
    });
  });
});

describe("what is refused leaves nothing behind", () => {
  const before = async () => (await readdir(folder)).sort();

  test.each([
    ["a difference over the tolerance", { types: ["fp32", "int8"], tolerance: 1e-7 }, "EXPORT_TOLERANCE"],
    ["static quantisation without data to calibrate on", { types: ["int8"], mode: "static" }, "CALIBRATION_MISSING"],
    ["data that are not there", { data: ["nowhere.json"] }, "FILE_MISSING"],
  ] as const)("%s", async (_, options, code) => {
    const names = await before();
    await expect(run("refused", options as Partial<ExportOptions>)).rejects.toMatchObject({ code });
    expect(await before()).toEqual(names);
  });

  test("a folder that holds files already", async () => {
    await mkdir(join(folder, "full"));
    await writeFile(join(folder, "full/note.txt"), "mine");
    await expect(run("full")).rejects.toMatchObject({ code: "FOLDER_NOT_EMPTY" });
    expect(await listed("full")).toEqual(["note.txt"]);
    await mkdir(join(folder, "empty"));
    await run("empty");
    expect(await listed("empty")).toContain("config.json");
  });

  test("a model without a head, and an export itself", async () => {
    await writeTinyReader(join(folder, "bare"), { holds: (name) => name.startsWith("bert.") });
    await expect(run("refused", {}, "bare")).rejects.toMatchObject({ code: "EXPORT_SOURCE" });
    await run("once");
    await expect(run("refused", {}, "once")).rejects.toMatchObject({ code: "EXPORT_SOURCE" });
  });
});

describe("an exported folder that is damaged", () => {
  const copy = async (name: string, from = "damaged source") => cp(join(folder, from), join(folder, name), { recursive: true });
  beforeAll(async () => {
    await run("damaged source", { externalDataFrom: 1_500_000 });
  });
  const load = async (name: string, onnxFile?: string) => createReaderInference(runtime, await open(name, onnxFile));

  test.each([
    ["cut short", (file: string) => truncate(file, 3000), "ONNX_CORRUPT"],
    ["empty", (file: string) => truncate(file, 0), "ONNX_CORRUPT"],
    ["something else", (file: string) => writeFile(file, "<html>404</html>"), "ONNX_CORRUPT"],
    ["without its weights", (file: string) => rm(`${file}_data`), "FILE_MISSING"],
    ["with weights cut short", (file: string) => truncate(`${file}_data`, 5000), "ONNX_CORRUPT"],
  ])("%s", async (what, damage, code) => {
    await copy(what);
    await damage(join(folder, what, "onnx/model.onnx"));
    await expect(load(what)).rejects.toMatchObject({ code });
  });

  test("whose file fails when it is run, and only then", async () => {
    await copy("promising");
    const config = join(folder, "promising/config.json");
    const promised = JSON.parse(await readFile(config, "utf8")) as Record<string, unknown>;
    await writeFile(config, JSON.stringify({ ...promised, max_position_embeddings: 512 })); // the file has 128
    const reader = await QuestionAnswerer.from(join(folder, "promising"), { runtime });
    const question = { question: "Who?", context: "Ada wrote it. ".repeat(100) };
    await expect(reader.answer(question)).rejects.toMatchObject({
      code: "ONNX_RUN",
      detail: { message: "model.onnx fails when it is run." },
    });
    expect(await reader.answer(question, { max_seq_len: 128 })).toMatchObject({ answer: expect.any(String) as string });
    reader.release();
  });

  test("weights that are a link out of the folder are not read", async () => {
    await copy("linked");
    const data = join(folder, "linked/onnx/model.onnx_data");
    await rm(data);
    await symlink(join(folder, "damaged source/onnx/model.onnx_data"), data);
    await expect(load("linked")).rejects.toMatchObject({ code: "FILE_OUTSIDE_FOLDER" });
  });

  test("a name that is not there, and a model that is no reader", async () => {
    await expect(load("damaged source", "model_quantized")).rejects.toMatchObject({
      code: "ONNX_FILE_UNKNOWN",
      detail: { expected: "one of model" },
    });
    await expect(load("tiny", "model")).rejects.toMatchObject({ code: "ONNX_FILE_UNKNOWN" });
  });
});
