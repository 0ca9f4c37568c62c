/** What a person can ask of `lectern train` and `lectern evaluate`, on a tiny reader and in processes of their own. */
import { cp, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../src/checkpoint/safetensors.js";
import type { Ended } from "../process.js";
import { starter, writeTinyReader } from "../tiny-reader.js";
import { jsonLines, openWorkplace, type Workplace } from "./command-line.js";

let place: Workplace;
beforeAll(async () => void (place = await openWorkplace()));
afterAll(() => place.remove());

const train = (output: string, ...more: string[]) => place.lectern("train", "recipe.yaml", `output_dir=${output}`, "--json", ...more);
const done = ({ stdout }: Ended) =>
  jsonLines(stdout).at(-1) as { type: string; step: number; results: Record<string, number>; loadedBest?: string; stoppedEarly: boolean };

/** SQuAD 2.0: answerable and unanswerable questions on paragraphs of a few words. */
function squad2(paragraphs: number): unknown {
  const colours = ["red", "green", "blue", "white", "black", "yellow"];
  return {
    version: "v2.0",
    data: [
      {
        title: "Boxes",
        paragraphs: Array.from({ length: paragraphs }, (_, index) => {
          const colour = colours[index % colours.length];
          const context = `Box number ${index} is ${colour} and stands on shelf ${index + 3}.`;
          return {
            context,
            qas: [
              {
                id: `${index}-colour`,
                question: `Which colour is box ${index}?`,
                is_impossible: false,
                answers: [{ text: colour, answer_start: context.indexOf(colour) }],
              },
              {
                id: `${index}-weight`,
                question: `How heavy is box ${index}?`,
                is_impossible: true,
                answers: [],
                plausible_answers: [{ text: colour, answer_start: context.indexOf(colour) }],
              },
            ],
          };
        }),
      },
    ],
  };
}

describe("training", () => {
  test("lowers the loss and leaves a model that evaluates and scores as it says", async () => {
    const ended = await train("plain", "max_steps=12", "learning_rate=0.01", "evaluate_before_training=true", "report_to=[tensorboard]");
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    const { results, type } = done(ended);
    expect(type).toBe("done");
    expect(results.eval_loss).toBeLessThan(results.baseline_eval_loss);
    expect(await place.json("plain", "all_results.json")).toEqual(results);
    const evaluated = await place.lectern(
      ...["evaluate", "--model", "plain", "--data", join(starter, "squad/dev.json"), "--max-samples", "8"],
      ...["--max-length", "96", "--stride", "32", "--out", "answers", "--threads", "2", "--json"],
    );
    expect([evaluated.code, evaluated.stderr]).toEqual([0, ""]);
    const [figures] = jsonLines(evaluated.stdout);
    expect(figures).toMatchObject({ exact: results.exact, f1: results.f1 });
    expect(Math.abs((figures.eval_loss as number) / results.eval_loss - 1)).toBeLessThan(1e-5);
    expect((await readdir(join(place.folder, "plain"))).filter((name) => name.includes("tfevents"))).toHaveLength(1);
  });

  test("ends with the best checkpoint's model where that is asked for", async () => {
    const ended = await train(
      "best",
      "load_best_model_at_end=true",
      "learning_rate=0.3",
      "eval_steps=2",
      "save_steps=2",
      "max_steps=8",
      "save_total_limit=1",
    );
    expect(ended.code).toBe(0);
    const state = (await place.json("best", "trainer_state.json")) as {
      best_model_checkpoint: string;
      best_global_step: number;
      log_history: Record<string, number>[];
    };
    const evaluations = state.log_history.filter((entry) => "eval_loss" in entry);
    const best = evaluations.reduce((least, entry) => (entry.eval_loss < least.eval_loss ? entry : least));
    expect(state.best_global_step).toBe(best.step);
    expect(best.step).toBeLessThan(8); // else this test shows nothing
    expect(done(ended).loadedBest).toBe(state.best_model_checkpoint);
    expect(done(ended).results.eval_loss).toBe(best.eval_loss);
    const weights = (...path: string[]) => place.read(...path, "model.safetensors");
    const final = await weights("best");
    expect(final.equals(await weights(state.best_model_checkpoint))).toBe(true);
    expect(final.equals(await weights("best/checkpoint-8"))).toBe(false);
  });

  test("stops early when the evaluation gets no better", async () => {
    const ended = await train("early", "early_stopping_patience=2", "learning_rate=1", "eval_steps=1", "max_steps=100", "save_strategy=no");
    expect(ended.code).toBe(0);
    const { step, stoppedEarly } = done(ended);
    expect(stoppedEarly).toBe(true);
    expect(step).toBeLessThan(50);
  });

  test.each(["adafactor", "sgd"])("runs with %s", async (optim) => {
    const ended = await train(optim, `optim=${optim}`, "max_steps=3", "learning_rate=0.1");
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(done(ended).results.train_loss).toBeGreaterThan(0);
  });

  test("leaves frozen parameters bit-identical in the file", async () => {
    expect((await train("frozen", "frozen_parameters=['bert.embeddings.*', '*.0.*']", "max_steps=3")).code).toBe(0);
    const [before, after] = ["tiny", "frozen"].map((name) => openSafetensors(join(place.folder, name, "model.safetensors")));
    for (const name of before.names()) {
      const frozen = name.startsWith("bert.embeddings.") || name.includes(".0.");
      expect(Buffer.from(after.readRaw(name)).equals(Buffer.from(before.readRaw(name))), name).toBe(frozen);
    }
    before.close();
    after.close();
  });
});

describe("SQuAD 2.0", () => {
  test("trains, evaluates with null odds, and scores to the same figures", async () => {
    await writeFile(join(place.folder, "train-v2.json"), JSON.stringify(squad2(24)));
    await writeFile(join(place.folder, "dev-v2.json"), JSON.stringify(squad2(6)));
    const ended = await train(
      "two",
      "train_files=train-v2.json",
      "eval_files=dev-v2.json",
      "max_eval_samples=12",
      "version_2_with_negative=true",
      "learning_rate=0.01",
      "max_steps=12",
    );
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(done(ended).results).toMatchObject({ HasAns_total: 6, NoAns_total: 6 });
    const evaluated = await place.lectern(
      ...[
        "evaluate",
        "--model",
        "two",
        "--data",
        "dev-v2.json",
        "--version-2-with-negative",
        "--max-length",
        "96",
        "--stride",
        "32",
        "--out",
        "answers two",
        "--json",
      ],
    );
    expect([evaluated.code, evaluated.stderr]).toEqual([0, ""]);
    const [figures] = jsonLines(evaluated.stdout);
    const [predictions, nullOdds] = [
      await place.json("answers two", "predictions.json"),
      await place.json("answers two", "null_odds.json"),
    ];
    expect(Object.keys(predictions)).toEqual(Object.keys(nullOdds));
    for (const [id, text] of Object.entries(predictions)) expect(text === "", id).toBe((nullOdds[id] as number) > 0);
    const scored = await place.lectern(
      "score",
      "dev-v2.json",
      "answers two/predictions.json",
      "--na-prob",
      "answers two/null_odds.json",
      "--threshold",
      "0",
      "--json",
    );
    const [official] = jsonLines(scored.stdout);
    expect(Object.keys(official)).toContain("best_f1_thresh");
    expect(figures).toMatchObject(official);
    expect(await place.json("answers two", "eval_results.json")).toEqual(figures);
  });
});

describe("a mistake is told with what to do, exit code 1, and nothing half-written", () => {
  /** The error of a command that should fail, and what it left in the workplace. */
  async function mistake(words: string[]): Promise<{ code: string; message: string; next?: string }> {
    const before = await readdir(place.folder);
    const ended = await place.lectern(...words, "--json");
    expect([ended.code, ended.stdout]).toEqual([1, ""]);
    expect((await readdir(place.folder)).filter((name) => !before.includes(name))).toEqual([]);
    const lines = jsonLines(ended.stderr);
    expect(lines).toHaveLength(1);
    return (lines[0] as { error: { code: string; message: string; next?: string } }).error;
  }
  const training = (...more: string[]) => mistake(["train", "recipe.yaml", "output_dir=failed", ...more]);

  test("a model that is not there", async () => {
    expect(await training("model=./nowhere")).toMatchObject({
      code: "FILE_MISSING",
      message: expect.stringContaining("nowhere") as string,
    });
  });

  test("truncated weights", async () => {
    await cp(join(place.folder, "tiny"), join(place.folder, "cut"), { recursive: true });
    await truncate(join(place.folder, "cut/model.safetensors"), 1_000_000);
    expect(await training("model=cut")).toMatchObject({
      code: "SAFETENSORS_CORRUPT",
      message: expect.stringContaining("model.safetensors") as string,
    });
  });

  test("a tokenizer with a larger vocabulary than the model", async () => {
    await writeTinyReader(join(place.folder, "small"), { config: { vocab_size: 500 } });
    expect(await training("model=small")).toMatchObject({ code: "VOCABULARY_MISMATCH", next: expect.any(String) as string });
  });

  test("windows longer than the model's positions", async () => {
    expect(await training("max_length=384")).toMatchObject({ code: "SEQUENCE_TOO_LONG", next: expect.stringContaining("128") as string });
  });

  test("data without a question", async () => {
    await writeFile(join(place.folder, "empty.json"), JSON.stringify({ version: "1.1", data: [] }));
    expect(await training("train_files=empty.json")).toMatchObject({ code: "DATA_EMPTY" });
  });

  test("a key that no recipe has", async () => {
    expect(await training("learning_rte=1")).toMatchObject({
      code: "RECIPE_UNKNOWN_KEY",
      message: expect.stringContaining("learning_rate?") as string,
    });
  });

  test("data to evaluate on that are damaged", async () => {
    await writeFile(join(place.folder, "damaged.json"), '{"data": [');
    expect(await mistake(["evaluate", "--model", "tiny", "--data", "damaged.json", "--out", "never"])).toMatchObject({
      code: "DATA_SYNTAX",
    });
  });
});

test("a loss that is not finite stops the run, and the last good checkpoint is the one to go on from", async () => {
  const ended = await place.lectern(
    "train",
    "recipe.yaml",
    "output_dir=overflow",
    "learning_rate=1e30",
    "warmup_ratio=0",
    "max_grad_norm=0",
    "optim=sgd",
    "eval_strategy=no",
    "save_steps=1",
  );
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/error LOSS_NOT_FINITE: .*step \d+[^]*next: .*lower learning_rate/);
  const saved = (await readdir(join(place.folder, "overflow"))).filter((name) => name.includes("checkpoint"));
  expect(saved.every((name) => /^checkpoint-\d+$/.test(name))).toBe(true);
  expect((await readdir(join(place.folder, "overflow"))).includes("model.safetensors")).toBe(false);
});
