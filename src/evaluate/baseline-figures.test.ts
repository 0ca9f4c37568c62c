import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readBaselineFigures } from "./baseline-figures.js";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-baseline-"))));
afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value));

test("come from all_results.json first", async () => {
  await write("all_results.json", { baseline_eval_loss: 6, baseline_exact: 1, baseline_HasAns_f1: 2, exact: 50, train_loss: 3 });
  await write("trainer_state.json", { log_history: [{ step: 0, eval_exact: 9 }] });
  expect(await readBaselineFigures(folder)).toEqual({
    source: join(folder, "all_results.json"),
    metrics: { loss: 6, exact: 1, HasAns_f1: 2 },
  });
});

test("or from the evaluation of step 0 that a checkpoint remembers", async () => {
  await write("all_results.json", { exact: 50 });
  await write("trainer_state.json", { log_history: [{ step: 0, epoch: 0, eval_exact: 9, eval_loss: 5 }, { step: 10, eval_exact: 20 }] });
  expect(await readBaselineFigures(folder)).toEqual({ source: join(folder, "trainer_state.json"), metrics: { exact: 9, loss: 5 } });
});

test.each([
  ["nothing", undefined],
  ["a list", []],
  ["null", null],
  ["a history that is none", { log_history: "none" }],
  ["a history of strange things", { log_history: [null, 3, { step: 5, eval_f1: 1 }, { step: 0, loss: 3 }] }],
])("are none in a folder with %s", async (_, value) => {
  if (value !== undefined) await write("trainer_state.json", value);
  await writeFile(join(folder, "all_results.json"), "no JSON");
  expect(await readBaselineFigures(folder)).toBeUndefined();
});
