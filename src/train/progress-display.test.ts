import { describe, expect, test } from "vitest";
import type { TrainEvent } from "./events.js";
import { ProgressDisplay } from "./progress-display.js";
import { MovingAverage, formatDuration } from "./progress.js";

const events: TrainEvent[] = [
  { type: "start", step: 0, totalSteps: 200, stepsPerEpoch: 100, notes: ["seed was 1 and is 2 now"] },
  { type: "evaluating", step: 0, done: 60, total: 120 },
  {
    type: "evaluation",
    step: 0,
    epoch: 0,
    metrics: { eval_loss: 5.9512, eval_f1: 4.25, eval_runtime: 3, eval_samples_per_second: 40 },
    best: false,
  },
  { type: "step", step: 1, epoch: 0.01, loss: 6, learningRate: 1e-4, gradientNorm: 2, samples: 4, tokens: 500, seconds: 0.5 },
  { type: "step", step: 2, epoch: 0.02, loss: 6, learningRate: 9e-5, gradientNorm: 2, samples: 4, tokens: 500, seconds: 0.5 },
  { type: "log", step: 2, epoch: 0.02, loss: 6, learningRate: 9e-5, gradientNorm: 2, samplesPerSecond: 8 },
  { type: "checkpoint", step: 2, folder: "runs/a/checkpoint-2", removed: ["runs/a/checkpoint-1"] },
  { type: "done", step: 2, epoch: 0.02, stoppedEarly: true, loadedBest: "runs/a/checkpoint-1", results: {} },
];

function shown(stream: { isTTY?: boolean; columns?: number }): string {
  let text = "";
  let time = 0;
  const display = new ProgressDisplay({ ...stream, write: (part) => (text += part) }, () => (time += 1000));
  for (const event of events) display.show(event);
  return text;
}

/** What a terminal shows in the end: a carriage return with "erase to the end" empties the line. */
function terminal(text: string): string[] {
  return text.split("\n").map((line) => line.split("\r\u001b[K").at(-1)!);
}

describe("progress", () => {
  test("is plain lines where nobody watches", () => {
    expect(shown({ isTTY: false })).toMatchInlineSnapshot(`
      "note: seed was 1 and is 2 now
      training: 200 steps, 100 in an epoch
      step   0/200  evaluation before training: loss 5.951  f1 4.25
      step   2/200  epoch 0.02  loss 6.000  rate 9.0e-5  8.00 samples/s  1:39 left
      step   2/200  saved runs/a/checkpoint-2, removed checkpoint-1
      stopped early after step 2: no improvement any more
      the best model is that of runs/a/checkpoint-1
      "
    `);
  });

  test("is one live line below those that stay on a terminal", () => {
    const text = shown({ isTTY: true, columns: 120 });
    expect(text).toContain("evaluate ██████████░░░░░░░░░░ 60/120");
    expect(text).toContain("train ░░░░░░░░░░░░░░░░░░░░ step   2/200  epoch 0.02  loss 6.000  rate 9.0e-5  8.00 samples/s  1:39 left");
    expect(terminal(text)).toEqual([
      "note: seed was 1 and is 2 now",
      "training: 200 steps, 100 in an epoch",
      "step   0/200  evaluation before training: loss 5.951  f1 4.25",
      "step   2/200  saved runs/a/checkpoint-2, removed checkpoint-1",
      "stopped early after step 2: no improvement any more",
      "the best model is that of runs/a/checkpoint-1",
      "",
    ]);
  });

  test.each([20, 60, 80, 90])("never wraps on a terminal of %i columns", (columns) => {
    const live = shown({ isTTY: true, columns })
      .split("\n")
      .flatMap((line) => line.split("\r\u001b[K").slice(1));
    expect(Math.max(...live.filter((line) => /^(train|evaluate|step .* left)/.test(line)).map((line) => line.length))).toBeLessThan(
      columns,
    );
  });

  test("averages forget, from the first value on", () => {
    const average = new MovingAverage(10);
    expect(average.value).toBeUndefined();
    average.add(5);
    expect(average.value).toBeCloseTo(5);
    for (let i = 0; i < 100; i++) average.add(1);
    expect(average.value).toBeCloseTo(1, 3);
  });

  test.each([
    [0.4, "0:00"],
    [151, "2:31"],
    [3723, "1:02:03"],
    [59.7, "1:00"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
