/** `--import FILE`: what a module of the person's own adds is there for every verb, and in the processes of a server. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compiledSources } from "../compiled-sources.js";
import { post } from "../serving.js";
import { writeTinyReader } from "../tiny-reader.js";
import { openWorkplace, type Workplace } from "./command-line.js";

let place: Workplace;
const write = (name: string, text: string) => writeFile(join(place.folder, name), text);
beforeAll(async () => {
  place = await openWorkplace();
  await writeTinyReader(join(place.folder, "mine"));
  const config = join(place.folder, "mine", "config.json");
  await writeFile(config, (await readFile(config, "utf8")).replace('"bert"', '"mine"'));
  const entry = (name: string) => JSON.stringify(pathToFileURL(join(compiledSources(), "src", name)).href);
  await write(
    "parts.mjs",
    `import { registerDataForm, registerMetric } from ${entry("index.js")};
     import { models, registerModel } from ${entry("models/index.js")};
     registerModel({ ...models.find(({ type }) => type === "bert"), type: "mine", questionAnswering: "MineForQuestionAnswering" });
     registerMetric({ name: "characters", perQuestion: ({ prediction }) => prediction.length });
     registerDataForm({ name: "ours", matches: (record) => "q" in record, *read({ q, page, quote }, place) {
       yield { question: q, context: page, answers: [{ text: quote }], place };
     } });`,
  );
  await write("data.jsonl", '{"q": "Who wrote it?", "page": "Ada Lovelace wrote it.", "quote": "Ada Lovelace"}\n');
  await write("broken.mjs", "const half = ;");
  await write("throwing.mjs", 'throw new Error("not today");');
});
afterAll(() => place.remove());

describe("a module that adds a model, a metric and a form of data", () => {
  test("makes them known to train and evaluate", async () => {
    const data = ["train_files=data.jsonl", "eval_files=data.jsonl", "metric_for_best_model=characters", "load_best_model_at_end=true"];
    const trained = await place.lectern(
      "train",
      "recipe.yaml",
      "model=mine",
      ...data,
      "max_steps=4",
      "output_dir=run",
      "--import",
      "parts.mjs",
    );
    expect([trained.code, trained.stdout]).toEqual([0, expect.stringMatching(/\ncharacters +\d/)]);
    expect(await place.json("run", "eval_results.json")).toHaveProperty("eval_characters");
    expect(await place.json("run", "config.json")).toMatchObject({ model_type: "mine", architectures: ["MineForQuestionAnswering"] });
    const options = ["--model", "run", "--data", "data.jsonl", "--max-length", "96", "--stride", "32", "--json"];
    const evaluated = await place.lectern("evaluate", "--import", "parts.mjs", ...options);
    expect([evaluated.code, evaluated.stderr]).toEqual([0, ""]);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ characters: expect.any(Number) as number, eval_samples: 1 });
  });

  test("makes them known to the processes of a server", async () => {
    const server = place.start("serve", "--model", "mine", "--port", "0", "--import", "parts.mjs");
    let told = "";
    server.process.stderr.on("data", (data: Buffer) => (told += data.toString()));
    await server.printed("(the API: ");
    const [url] = /http:\/\/[\d.:]+/.exec(told)!;
    const { status, body } = await post(url, { question: "Who wrote it?", context: "Ada Lovelace wrote it." });
    expect([status, body]).toEqual([200, expect.objectContaining({ answer: expect.any(String) as string })]);
    server.process.kill("SIGTERM");
    expect((await server.ended).code).toBe(0);
  });

  test("is what such a model asks for where it is not named", async () => {
    const { code, stderr } = await place.lectern("ask", "--model", "mine", "--context", "data.jsonl", "Who?");
    expect(code).toBe(1);
    expect(stderr).toMatch(/UNKNOWN_MODEL_TYPE[^]*model_type: the text "mine"[^]*docs\/extending\.md/);
  });
});

test.each([
  ["absent.mjs", /FILE_MISSING: There is no module absent\.mjs/],
  [".", /FILE_MISSING/],
  ["broken.mjs", /IMPORT_FAILED: broken\.mjs cannot be imported: Unexpected token/],
  ["throwing.mjs", /IMPORT_FAILED: throwing\.mjs cannot be imported: not today/],
])("--import %s is told as the person's to mend", async (file, told) => {
  const { code, stdout, stderr } = await place.lectern("evaluate", "--model", "tiny", "--data", "data.jsonl", "--import", file);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(told);
  expect(stderr).not.toContain("mistake in Lectern");
});
