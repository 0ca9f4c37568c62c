import { readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkpointsOf, json, losses, newOutput, type Outcome, recipeFor, runOnce, told } from "../../test/fake-training.js";
import { parseRecipe } from "./recipe-load.js";

describe("a run", () => {
  test("tells what happens in the order in which it happens", async () => {
    const { events } = await runOnce(newOutput());
    expect(told(events)).toEqual([
      "start 0",
      "evaluation 0",
      "log 10",
      "log 20",
      "evaluation 20",
      "checkpoint 20",
      "log 30",
      "log 40",
      "evaluation 40",
      "checkpoint 40",
      "log 50",
      "evaluation 50",
      "checkpoint 50",
      "done 50",
    ]);
    expect(losses(events)).toHaveLength(50);
  });

  test("leaves the files that others expect", async () => {
    const output = newOutput();
    const { weights, done } = await runOnce(output, ["report_to=[tensorboard]"]);
    expect((await readdir(output)).filter((name) => !name.startsWith("events.out.tfevents.")).sort()).toEqual(
      [
        "README.md",
        "all_results.json",
        "checkpoint-20",
        "checkpoint-40",
        "checkpoint-50",
        "config.json",
        "eval_results.json",
        "recipe.yaml",
        "train_results.json",
        "trainer_state.json",
        "weights.json",
      ].sort(),
    );
    expect(await readdir(output)).toContainEqual(expect.stringMatching(/^events\.out\.tfevents\.\d{10}\./));
    expect(await json(output, "weights.json")).toEqual(weights);
    const all = await json(output, "all_results.json");
    expect(all).toEqual(done!.results);
    for (const name of [
      "baseline_eval_loss",
      "baseline_exact",
      "baseline_f1",
      "eval_loss",
      "exact",
      "f1",
      "train_samples_per_second",
      "train_runtime",
    ]) {
      expect(all[name]).toBeTypeOf("number");
    }
    expect(all.f1).toBeGreaterThan(all.baseline_f1);
    expect(await json(output, "eval_results.json")).toMatchObject({ epoch: 10, eval_loss: all.eval_loss, eval_f1: all.f1 });
    expect(await json(output, "train_results.json")).toMatchObject({ train_samples: 400, train_steps: 50 });
    expect(parseRecipe(await readFile(join(output, "recipe.yaml"), "utf8"), { file: "saved.yaml" })).toEqual(
      recipeFor(output, ["report_to=[tensorboard]"]),
    );
  });

  test("writes trainer_state.json under Hugging Face's names", async () => {
    const output = newOutput();
    await runOnce(output, ["load_best_model_at_end=true"]);
    const state = await json(output, "checkpoint-40", "trainer_state.json");
    expect(state).toMatchObject({
      global_step: 40,
      epoch: 8,
      max_steps: 50,
      num_train_epochs: 10,
      train_batch_size: 8,
      best_global_step: 40,
    });
    expect(state.best_model_checkpoint).toBe(join(output, "checkpoint-40"));
    const history = state.log_history as Record<string, number>[];
    expect(history.map(({ step }) => step)).toEqual([0, 10, 20, 20, 30, 40, 40]);
    expect(Object.keys(history[1]).sort()).toEqual(["epoch", "grad_norm", "learning_rate", "loss", "step"]);
    expect(Object.keys(history[3])).toEqual(expect.arrayContaining(["eval_loss", "eval_f1", "epoch", "step"]));
    const last = ((await json(output, "trainer_state.json")).log_history as Record<string, number>[]).at(-1)!;
    expect(last).toMatchObject({ step: 50, train_steps: 50 });
  });

  test("writes a model card whose front matter is whole", async () => {
    const output = newOutput();
    const { done } = await runOnce(output, ["train_files=[hub:org/questions:train,/home/ada/a.json]"]);
    const card = await readFile(join(output, "README.md"), "utf8");
    const [, front, body] = card.split(/^---$/m);
    expect(parse(front)).toMatchObject({
      license: "apache-2.0",
      language: ["en"],
      library_name: "transformers",
      pipeline_tag: "question-answering",
      base_model: "org/eight-numbers",
      datasets: ["org/questions"],
      metrics: ["exact_match", "f1"],
      "model-index": [
        {
          results: [
            {
              task: { type: "question-answering" },
              dataset: { name: "b.json" },
              metrics: [{ type: "exact_match" }, { type: "f1", value: done!.results.f1 }],
            },
          ],
        },
      ],
    });
    expect(body).toContain("| evaluation loss |");
    expect(body).toContain("samples of `hub:org/questions:train`, `a.json`; evaluated");
    expect(card).not.toContain(dirname(output));
  });

  test("without evaluation data trains all the same", async () => {
    const output = newOutput();
    const { events, done } = await runOnce(output, ["eval_files=[]", "eval_strategy=no", "save_strategy=no"]);
    expect(told(events)).toEqual(["start 0", "log 10", "log 20", "log 30", "log 40", "log 50", "done 50"]);
    expect(done!.results).not.toHaveProperty("eval_loss");
    expect(await readdir(output)).not.toContain("eval_results.json");
  });

  test("evaluates at the end even when it does not during training, and no baseline when none is wanted", async () => {
    const { events } = await runOnce(newOutput(), [
      "eval_strategy=no",
      "evaluate_before_training=false",
      "save_strategy=epoch",
      "max_steps=7",
    ]);
    expect(told(events)).toEqual(["start 0", "checkpoint 5", "log 7", "evaluation 7", "checkpoint 7", "done 7"]);
  });

  test("stops at a loss that is not finite, says which step, and keeps the last checkpoint", async () => {
    const output = newOutput();
    await expect(runOnce(output, [], { lossNotFiniteAt: 33 })).rejects.toMatchObject({
      code: "LOSS_NOT_FINITE",
      message: expect.stringContaining("The loss of step 33 is NaN") as string,
    });
    expect(await checkpointsOf(output)).toEqual(["checkpoint-20"]);
    expect((await runOnce(output, ["resume_from_checkpoint=true"])).done).toBeDefined();
  });

  test("stops at an evaluation loss that is not finite", async () => {
    await expect(runOnce(newOutput(), [], { evaluationLosses: [1, Infinity] })).rejects.toMatchObject({ code: "LOSS_NOT_FINITE" });
  });

  test("refuses a metric that the evaluation does not give before it trains", async () => {
    const output = newOutput();
    await expect(runOnce(output, ["metric_for_best_model=bleu"])).rejects.toMatchObject({
      code: "METRIC_UNKNOWN",
      detail: { received: "bleu" },
    });
    expect(await checkpointsOf(output)).toEqual([]);
  });
});

describe("the best model", () => {
  const best = ["load_best_model_at_end=true"];

  test("is what the run ends with, and its checkpoint is never removed", async () => {
    const output = newOutput();
    const { events, done } = await runOnce(output, [...best, "eval_steps=10", "save_steps=10", "save_total_limit=1"], {
      evaluationLosses: [9, 5, 1, 3, 4, 2],
    });
    expect(done).toMatchObject({ loadedBest: join(output, "checkpoint-20"), results: { eval_loss: 1, baseline_eval_loss: 9 } });
    expect(await checkpointsOf(output)).toEqual(["checkpoint-20", "checkpoint-50"]);
    expect(await json(output, "weights.json")).toEqual(await json(output, "checkpoint-20", "weights.json"));
    expect(events.flatMap((event) => (event.type === "evaluation" && event.best ? [event.step] : []))).toEqual([10, 20]);
  });

  test("may be chosen by a metric of which more is better", async () => {
    const output = newOutput();
    const { events } = await runOnce(output, [...best, "metric_for_best_model=f1"]);
    const f1 = events.flatMap((event) => (event.type === "evaluation" && event.step > 0 ? [event.metrics.eval_f1] : []));
    const state = await json(output, "trainer_state.json");
    expect(state.best_metric).toBe(Math.max(...f1));
  });

  test("is the best of those that were saved when not every evaluation was", async () => {
    const output = newOutput();
    const { done } = await runOnce(output, [...best, "eval_steps=10", "save_steps=20"], { evaluationLosses: [9, 1, 3, 2, 4, 5] });
    expect(done).toMatchObject({ loadedBest: join(output, "checkpoint-20"), results: { eval_loss: 3 } });
  });

  test("without a limit, or without being asked for, changes nothing", async () => {
    const output = newOutput();
    const { done, weights } = await runOnce(output, [], { evaluationLosses: [9, 1, 3, 2] });
    expect(done!.loadedBest).toBeUndefined();
    expect(await json(output, "checkpoint-50", "weights.json")).toEqual(weights);
  });

  test.each([
    ["after two evaluations without improvement", [9, 5, 6, 5.5, 1, 1], [], 30],
    ["counting only improvements above the threshold", [9, 5, 4.9, 4.8, 1, 1], ["early_stopping_threshold=0.5"], 30],
    ["never while it improves", [9, 5, 4, 3, 2, 1], [], 50],
    ["not when the second evaluation is better again", [9, 5, 6, 4, 5, 3], [], 50],
  ])("early stopping: %s", async (_, evaluationLosses, more, lastStep) => {
    const { done } = await runOnce(newOutput(), ["eval_steps=10", "early_stopping_patience=2", ...more], { evaluationLosses });
    expect(done).toMatchObject({ step: lastStep, stoppedEarly: lastStep < 50 });
  });
});

describe("resume", () => {
  /** All that must not depend on whether a run was interrupted; times do. */
  async function comparable(output: string, { weights }: Outcome): Promise<unknown> {
    const state = await json(output, "trainer_state.json");
    const history = (state.log_history as Record<string, number>[]).map((entry) =>
      Object.fromEntries(Object.entries(entry).filter(([name]) => !/_runtime$|_per_second$/.test(name))),
    );
    const best = String(state.best_model_checkpoint).replace(output, "");
    return { weights, history, best, metric: state.best_metric, optimizer: await json(output, "checkpoint-50", "optimizer.json") };
  }

  test("after a stop at any steps is bit-identical to a run that was not stopped", async () => {
    const settings = [
      "load_best_model_at_end=true",
      "eval_steps=10",
      "save_steps=10",
      "early_stopping_patience=4",
      "lr_scheduler_type=cosine",
      "warmup_steps=7",
    ];
    const whole = newOutput();
    const uninterrupted = await runOnce(whole, settings);
    const expected = await comparable(whole, uninterrupted);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 49 }), { minLength: 1, maxLength: 3 }), async (unsorted) => {
        const stops = [...unsorted].sort((a, b) => a - b);
        const output = newOutput();
        const steps: number[] = [];
        for (const [index, stop] of [...stops, Infinity].entries()) {
          const more = index === 0 ? [] : ["resume_from_checkpoint=true"];
          const part = await runOnce(output, [...settings, ...more], {}, (event) => event.type === "step" && event.step === stop);
          steps.push(...losses(part.events));
          if (stop === Infinity) expect(await comparable(output, part)).toEqual(expected);
          else expect(part.events.at(-1)).toEqual({ type: "interrupted", step: stop, folder: join(output, `checkpoint-${stop}`) });
        }
        expect(steps).toEqual(losses(uninterrupted.events));
      }),
      { numRuns: 12 },
    );
  });

  test("makes an evaluation again that the stop cut short", async () => {
    const output = newOutput();
    const stopped = await runOnce(
      output,
      [],
      { whileEvaluating: () => new Promise((resolve) => setTimeout(resolve, 5)) },
      (event) => event.type === "evaluating" && event.step === 20,
    );
    expect(told(stopped.events).slice(-2)).toEqual(["checkpoint 20", "interrupted 20"]);
    const resumed = await runOnce(output, ["resume_from_checkpoint=true"]);
    expect(told(resumed.events).slice(0, 4)).toEqual(["start 20", "evaluation 20", "checkpoint 20", "log 30"]);
    const state = await json(output, "checkpoint-20", "trainer_state.json");
    expect((state.log_history as Record<string, number>[]).filter(({ step }) => step === 20)).toHaveLength(2);
  });

  test("stopped before the first step there is nothing to save", async () => {
    const output = newOutput();
    const { events } = await runOnce(output, [], {}, (event) => event.type === "evaluation");
    expect(events.at(-1)).toEqual({ type: "interrupted", step: 0 });
    expect(await checkpointsOf(output)).toEqual([]);
  });

  test("of a finished run for more epochs goes on from its end", async () => {
    const output = newOutput();
    await runOnce(output);
    const { events } = await runOnce(output, ["resume_from_checkpoint=true", "num_train_epochs=12"]);
    expect(events[0]).toMatchObject({ type: "start", step: 50, totalSteps: 60, resumedFrom: join(output, "checkpoint-50") });
    expect((events[0] as { notes: string[] }).notes).toEqual([
      expect.stringContaining("num_train_epochs was 10 when the checkpoint was saved and is 12 now"),
    ]);
    expect(losses(events)).toHaveLength(10);
  });

  test("takes the newest checkpoint that is whole, and says which it passed over", async () => {
    const output = newOutput();
    await runOnce(output);
    await truncate(join(output, "checkpoint-50", "optimizer.json"), 3);
    await rm(join(output, "checkpoint-40", "weights.json"));
    const { events } = await runOnce(output, ["resume_from_checkpoint=true"]);
    expect(events[0]).toMatchObject({ step: 20, resumedFrom: join(output, "checkpoint-20") });
    const notes = (events[0] as { notes: string[] }).notes.join("\n");
    expect(notes).toContain("optimizer.json is not as it was written");
    expect(notes).toContain("weights.json is missing");
  });

  test("of a named checkpoint in a new folder leaves the old one as it was", async () => {
    const [first, second] = [newOutput(), newOutput()];
    const whole = await runOnce(first);
    const before = await stat(join(first, "checkpoint-20", "trainer_state.json"));
    const { weights } = await runOnce(second, [`resume_from_checkpoint=${join(first, "checkpoint-20")}/`]);
    expect(weights).toEqual(whole.weights);
    expect(await checkpointsOf(second)).toEqual(["checkpoint-40", "checkpoint-50"]);
    expect((await stat(join(first, "checkpoint-20", "trainer_state.json"))).mtimeMs).toBe(before.mtimeMs);
  });

  test("from an older checkpoint of the same folder needs leave to drop the newer ones", async () => {
    const output = newOutput();
    await runOnce(output);
    const back = [`resume_from_checkpoint=${join(output, "checkpoint-20")}`];
    await expect(runOnce(output, back)).rejects.toMatchObject({ code: "OUTPUT_IN_USE" });
    expect(await checkpointsOf(output)).toEqual(["checkpoint-20", "checkpoint-40", "checkpoint-50"]);
    const { events } = await runOnce(output, [...back, "overwrite_output_dir=true"], {}, (event) => event.type === "start");
    expect(events.at(-1)).toMatchObject({ type: "interrupted", step: 20, folder: join(output, "checkpoint-20") });
    expect(await checkpointsOf(output)).toEqual(["checkpoint-20"]);
  });

  test.each([
    ["nothing to resume", ["resume_from_checkpoint=true"], "CHECKPOINT_NOT_FOUND"],
    ["a folder that does not exist", ["resume_from_checkpoint=nowhere/checkpoint-3"], "CHECKPOINT_NOT_FOUND"],
  ])("%s", async (_, overrides, code) => {
    await expect(runOnce(newOutput(), overrides)).rejects.toMatchObject({ code });
  });

  test.each([
    ["not JSON", "{"],
    ["null", "null"],
    ["of another program", '{"global_step": 20, "log_history": [], "stateful_callbacks": {}}'],
  ])("a named checkpoint whose state is %s is refused", async (_, text) => {
    const output = newOutput();
    await runOnce(output, ["max_steps=20"]);
    await writeFile(join(output, "checkpoint-20", "trainer_state.json"), text);
    await expect(runOnce(newOutput(), [`resume_from_checkpoint=${join(output, "checkpoint-20")}`])).rejects.toMatchObject({
      code: "CHECKPOINT_INCOMPLETE",
    });
  });
});

describe("an output folder that holds a run", () => {
  test("is not mixed with another", async () => {
    const output = newOutput();
    await runOnce(output);
    await expect(runOnce(output)).rejects.toMatchObject({ code: "OUTPUT_IN_USE" });
  });

  test("is started over when the recipe allows it", async () => {
    const output = newOutput();
    await runOnce(output);
    const { events } = await runOnce(output, ["overwrite_output_dir=true", "max_steps=20"]);
    expect(events[0]).toMatchObject({ type: "start", step: 0 });
    expect(await checkpointsOf(output)).toEqual(["checkpoint-20"]);
  });

  test("keeps its checkpoints when saving fails", async () => {
    const output = newOutput();
    let saves = 0;
    const whileSaving = async (): Promise<void> => {
      saves += 1;
      if (saves === 2) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    await expect(runOnce(output, [], { whileSaving })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await checkpointsOf(output)).toEqual(["checkpoint-20"]);
    expect((await runOnce(output, ["resume_from_checkpoint=true"])).events[0]).toMatchObject({ step: 20 });
  });
});
