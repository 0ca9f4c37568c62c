/** The guide from a spreadsheet to a served reader, from a reader that was hardly trained: every command line works and leaves what it says. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { followGuide, readGuide } from "./guide.js";

test("the page has a recipe, a command line for each step, and a request", async () => {
  const told = (await readGuide()).map((one) => (one.kind === "lectern" ? one.words[0] : one.kind));
  expect(told).toEqual(["quickstart", "inspect", "evaluate", "file", "train", "evaluate", "quantize", "serve", "curl"]);
});

test("its command lines work one after the other", { timeout: 600_000 }, async () => {
  const { printed, reply } = await followGuide(
    {
      quickstart: ["max_steps=2", "max_train_samples=8", "max_eval_samples=4"],
      train: ["max_steps=3"],
      quantize: ["--max-f1-loss", "100"],
      serve: ["--port", "0"],
    },
    async (folder) => {
      for (const file of ["runs/library/README.md", "runs/library/report/report.html", "runs/library-small/onnx/model_quantized.onnx"]) {
        expect(existsSync(join(folder, file)), file).toBe(true);
      }
      return Promise.resolve();
    },
  );
  expect(printed.get("inspect")![0].stdout).toMatch(/rows in csv[^]*lost answers +0$/m);
  expect(printed.get("evaluate")).toHaveLength(2);
  expect(reply).toMatchObject({ status: 200, body: { answer: expect.any(String) as string, score: expect.any(Number) as number } });
});
