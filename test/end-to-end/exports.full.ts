/**
 * Exported readers where others run them: transformers.js in Node and in a real Chromium (WebAssembly, no network), and ONNX Runtime from Python.
 * All give the logits that Lectern gives, and transformers.js's own pipeline answers with the same words.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import type * as TransformersLibrary from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nativeRuntime } from "../../src/engine/index.js";
import { exportReader } from "../../src/export/export-reader.js";
import { models as architectures } from "../../src/models/index.js";
import type { Feature } from "../../src/tasks/extractive/features.js";
import { inferSpans } from "../../src/tasks/extractive/infer.js";
import { createReaderInference, openReader, saveReader } from "../../src/tasks/extractive/reader.js";
import { proofData } from "../../src/export/proof.js";
import { sampleExamples } from "../../src/export/sample.js";
import { chromium, launchChromium } from "../chromium.js";
import { startTypeScript } from "../process.js";
import { starter, writeTinyReader } from "../tiny-reader.js";

const python = process.env.LECTERN_PEER_PYTHON;
const runtime = nativeRuntime();
/** transformers.js's names of the types, and the files that they stand for. */
const dtypes = { fp32: "model", fp16: "model_fp16", q8: "model_quantized" } as const;
/** By folder: what is exported, and by how much logits of other builds of the same operators may differ (in int8 a rounding may fall the other way). */
const models = ["minilm", ...architectures.map(({ type }) => type)];
/** transformers.js has no class with a question-answering head for these: its AutoModel runs them. */
const withoutHeadClass: readonly string[] = ["modernbert"];
const tolerance = { fp32: 1e-4, fp16: 2e-2, q8: 2e-1 } as const;

let folder: string;
let windows: Record<string, { ids: number[]; typeIds: number[] }[]>;
/** Start and end logits of every window, by model and type. */
const expected: Record<string, Record<string, number[][][]>> = {};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "lectern-exports-"));
  windows = {};
  for (const model of models) {
    const source = path.join(folder, "sources", model);
    if (model === "minilm")
      await saveReader(source, await openReader(runtime, path.join(starter, "minilm-l6"), { seed: 42, maskPadding: true }));
    else await writeTinyReader(source, { type: model });
    await exportReader(source, path.join(folder, "models", model), {
      format: "onnx",
      types: ["fp32", "fp16", "int8"],
      runtime,
      optimized: model === "minilm",
    });
    expected[model] = {};
    for (const [dtype, onnxFile] of Object.entries(dtypes)) {
      const reader = await openReader(runtime, path.join(folder, "models", model), { seed: 0, maskPadding: true, onnxFile });
      const features: readonly Feature[] = (await proofData(reader, (await sampleExamples()).slice(0, 4), false)).features;
      windows[model] = features.map(({ ids, typeIds }) => ({ ids: [...ids], typeIds: [...typeIds] }));
      const { logits } = await inferSpans(reader, await createReaderInference(runtime, reader), features, { batchSize: 1 });
      expected[model][dtype] = logits.map(({ start, end }) => [[...start], [...end]]);
    }
  }
}, 900_000);
afterAll(() => rm(folder, { recursive: true }));

function expectLogits(model: string, dtype: keyof typeof dtypes, actual: number[][][]): void {
  const wanted = expected[model][dtype];
  const scale = Math.max(...wanted.flat(2).map(Math.abs), 1);
  const difference = Math.max(
    ...wanted.flatMap((window, at) =>
      window.flatMap((side, which) => side.map((value, token) => Math.abs(value - actual[at][which][token]))),
    ),
  );
  expect(difference / scale, `${model} ${dtype}`).toBeLessThan(tolerance[dtype]);
}

const context = "The tower was designed by Gustave Eiffel, whose company built it from 1887 to 1889.";

describe("transformers.js in Node", () => {
  test("gives the same logits, and its pipeline runs", async () => {
    const script = path.join(folder, "run.mts");
    const entry = createRequire(import.meta.url)
      .resolve("@huggingface/transformers")
      .replace(/transformers\.node\.cjs$/, "transformers.node.mjs");
    await writeFile(
      script,
      `import { AutoModel, AutoModelForQuestionAnswering, env, pipeline, Tensor } from ${JSON.stringify(entry)};
env.allowRemoteModels = false;
env.localModelPath = ${JSON.stringify(path.join(folder, "models"))} + "/";
const windows = ${JSON.stringify(windows)};
const results = {};
for (const model of ${JSON.stringify(models)}) {
  results[model] = {};
  for (const dtype of ${JSON.stringify(Object.keys(dtypes))}) {
    const family = ${JSON.stringify(withoutHeadClass)}.includes(model) ? AutoModel : AutoModelForQuestionAnswering;
    const reader = await family.from_pretrained(model, { dtype });
    results[model][dtype] = [];
    for (const { ids, typeIds } of windows[model]) {
      const tensor = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
      const output = await reader({ input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)), token_type_ids: tensor(typeIds) });
      results[model][dtype].push([[...output.start_logits.data], [...output.end_logits.data]]);
    }
  }
}
const answer = await (await pipeline("question-answering", "minilm", { dtype: "q8" }))("Who designed it?", ${JSON.stringify(context)});
console.log(JSON.stringify({ results, answer }));
`,
    );
    const { stdout, stderr } = await startTypeScript(script, [], { cwd: folder }).ended;
    expect(stdout, stderr).toContain("{");
    const { results, answer } = JSON.parse(stdout.trim().split("\n").at(-1)!) as {
      results: Record<string, Record<keyof typeof dtypes, number[][][]>>;
      answer: { answer: string };
    };
    for (const model of models) for (const dtype of ["fp32", "fp16", "q8"] as const) expectLogits(model, dtype, results[model][dtype]);
    expect(answer.answer).toBeTypeOf("string");
  });
});

describe("transformers.js in Chromium", () => {
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    const require = createRequire(import.meta.url);
    const roots: Record<string, string> = {
      transformers: path.dirname(require.resolve("@huggingface/transformers")),
      ort: path.join(path.dirname(require.resolve("onnxruntime-web")), "..", "dist"),
      models: path.join(folder, "models"),
    };
    const types: Record<string, string> = {
      ".mjs": "text/javascript",
      ".js": "text/javascript",
      ".wasm": "application/wasm",
      ".json": "application/json",
    };
    server = createServer((request, response) => {
      const [, area, ...rest] = decodeURIComponent(new URL(request.url!, "http://x").pathname).split("/");
      const file = roots[area] === undefined ? undefined : path.join(roots[area], ...rest);
      if (area === "")
        return void response
          .setHeader("content-type", "text/html")
          .end(
            `<!doctype html><title>test</title><script type="module">window.library = await import("/transformers/transformers.min.js")</script>`,
          );
      const failed = (): void => void response.writeHead(404).end();
      if (file === undefined) return failed();
      readFile(file).then(
        (bytes) => response.setHeader("content-type", types[path.extname(file)] ?? "application/octet-stream").end(bytes),
        failed,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test.skipIf(chromium === undefined)("gives the same logits from WebAssembly, without a network (needs Chromium)", async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const hosts = new Set<string>();
      page.on("request", (request) => hosts.add(new URL(request.url()).origin));
      await page.goto(origin);
      await page.waitForFunction("window.library !== undefined");
      const results = await page.evaluate(
        async ({ models, withoutHeadClass, names, windows, origin }) => {
          const { AutoModel, AutoModelForQuestionAnswering, env, Tensor } = (globalThis as unknown as { library: typeof TransformersLibrary }).library;
          Object.assign(env, {
            allowRemoteModels: false,
            allowLocalModels: true,
            localModelPath: `${origin}/models/`,
            useBrowserCache: false,
            useWasmCache: false,
          });
          env.backends.onnx.wasm!.wasmPaths = `${origin}/ort/`;
          env.backends.onnx.wasm!.numThreads = 1;
          const all: Record<string, Record<string, number[][][]>> = {};
          for (const model of models) {
            all[model] = {};
            for (const dtype of names) {
              const family = withoutHeadClass.includes(model) ? AutoModel : AutoModelForQuestionAnswering;
              const reader = await family.from_pretrained(model, { dtype, device: "wasm" });
              all[model][dtype] = [];
              for (const { ids, typeIds } of windows[model]) {
                const tensor = (values: number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
                const output = (await reader({
                  input_ids: tensor(ids),
                  attention_mask: tensor(ids.map(() => 1)),
                  token_type_ids: tensor(typeIds),
                })) as Record<string, { data: Float32Array }>;
                all[model][dtype].push([[...output.start_logits.data], [...output.end_logits.data]]);
              }
            }
          }
          return all;
        },
        { models, withoutHeadClass, names: ["fp32", "fp16", "q8"] as const, windows, origin },
      );
      expect([...hosts]).toEqual([origin]);
      for (const model of models) for (const dtype of ["fp32", "fp16", "q8"] as const) expectLogits(model, dtype, results[model][dtype]);
    } finally {
      await browser.close();
    }
  });
});

describe("Python", () => {
  test.skipIf(python === undefined)(
    "onnxruntime gives the same logits, and onnx's checker accepts each file (needs LECTERN_PEER_PYTHON with onnx and onnxruntime)",
    async () => {
      await writeFile(path.join(folder, "windows.json"), JSON.stringify(windows));
      const program = `
import json, sys, numpy, onnx, onnxruntime
folder = sys.argv[1]
results = {}
for model, windows in json.load(open(folder + "/windows.json")).items():
    results[model] = {}
    for dtype, name in (("fp32", "model"), ("fp16", "model_fp16"), ("q8", "model_quantized")):
        file = f"{folder}/models/{model}/onnx/{name}.onnx"
        onnx.checker.check_model(file, full_check=True)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        results[model][dtype] = []
        for w in windows:
            feed = {"input_ids": w["ids"], "attention_mask": [1] * len(w["ids"]), "token_type_ids": w["typeIds"]}
            out = session.run(["start_logits", "end_logits"], {k: numpy.array([v], dtype=numpy.int64) for k, v in feed.items() if k in names})
            results[model][dtype].append([o[0].tolist() for o in out])
print(json.dumps(results))
`;
      const results = JSON.parse(execFileSync(python!, ["-c", program, folder], { encoding: "utf8", maxBuffer: 1 << 28 })) as Record<
        string,
        Record<keyof typeof dtypes, number[][][]>
      >;
      for (const model of models) for (const dtype of ["fp32", "fp16", "q8"] as const) expectLogits(model, dtype, results[model][dtype]);
    },
  );
});
