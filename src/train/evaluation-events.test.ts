/** What an evaluation's event file shows in TensorBoard, read by TensorBoard itself. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportInput } from "../../test/report-input.js";
import { exampleResults } from "../evaluate/example-results.js";
import { writeEvaluationEvents } from "./evaluation-events.js";

const python = process.env.LECTERN_PEER_PYTHON;

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-events-"))));
afterAll(() => rm(folder, { recursive: true }));

function write(to: string, model: string, f1: number): void {
  const { examples, model: evaluated } = reportInput("1.1");
  writeEvaluationEvents(to, {
    folder: model,
    metrics: { loss: 2, f1 },
    tokenLengths: { question: [3, 4, 5], context: [100, 200, 300], answer: [1, 1, 2], pair: [] },
    results: exampleResults(examples, evaluated.answers),
  });
}

test("one file an evaluation, refused where none can be", async () => {
  const to = await mkdtemp(join(folder, "one-"));
  write(to, "runs/a", 50);
  expect(await readdir(to)).toEqual([expect.stringMatching(/^events\.out\.tfevents\./)]);
  await writeFile(join(folder, "file"), "");
  expect(() => write(join(folder, "file"), "runs/a", 50)).toThrow(expect.objectContaining({ code: "FILE_NOT_WRITABLE" }) as Error);
});

test.skipIf(!python)("the real TensorBoard shows the last evaluation (needs LECTERN_PEER_PYTHON with the tensorboard package)", async () => {
  const to = await mkdtemp(join(folder, "read-"));
  write(to, "runs/a/checkpoint-20", 40);
  write(to, "runs/a/checkpoint-10", 50);
  const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0}); a.Reload()
def histogram(tag):
    h = a.Histograms(tag)[0]
    return [h.step, h.histogram_value.min, h.histogram_value.max, h.histogram_value.num, h.histogram_value.sum]
print(json.dumps({"f1": [[e.step, e.value] for e in a.Scalars("eval/f1")], **{tag: histogram(tag) for tag in a.Tags()["histograms"]}}))`;
  const read = JSON.parse(execFileSync(python!, ["-c", script, to], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })) as object;
  expect(read).toEqual({
    "f1": [[10, 50]],
    "eval/question_tokens": [10, 3, 5, 3, 12],
    "eval/context_tokens": [10, 100, 300, 3, 600],
    "eval/answer_tokens": [10, 1, 2, 3, 4],
    "eval/f1_of_questions": [10, 0, 1, 40, expect.any(Number)],
    "eval/score_of_answers": [10, 0, 0.975, 40, expect.any(Number)],
  });
});
