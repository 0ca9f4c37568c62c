import { readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LecternError } from "../errors.js";
import { loadRecipe, parseRecipe, recipeToYaml } from "./recipe-load.js";

const least = "model: m\ntrain_files: a.json\n";
const read = (text: string, overrides: string[] = []) => parseRecipe(text, { file: "recipes/mine.yaml", overrides });

function errorOf(work: () => unknown): LecternError {
  try {
    work();
  } catch (error) {
    if (error instanceof LecternError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

describe("a recipe", () => {
  test("has TrainingArguments' defaults", () => {
    expect(read(least)).toMatchObject({
      train_files: ["a.json"],
      eval_files: [],
      learning_rate: 5e-5,
      per_device_train_batch_size: 8,
      num_train_epochs: 3,
      adam_beta2: 0.999,
      max_grad_norm: 1,
      seed: 42,
      eval_strategy: "no",
      save_strategy: "steps",
      save_steps: 500,
      output_dir: "runs/mine",
      eval_steps: 500,
      metric_for_best_model: undefined,
    });
  });

  test("chooses the best by the loss, less being better, unless it says otherwise", () => {
    const best = `${least}eval_files: b.json\neval_strategy: steps\nload_best_model_at_end: true\n`;
    expect(read(best)).toMatchObject({ metric_for_best_model: "loss", greater_is_better: false });
    expect(read(best, ["metric_for_best_model=f1"])).toMatchObject({ greater_is_better: true });
  });

  test("takes one file or several, and a key without a value as not given", () => {
    const recipe = read("model: m\ntrain_files: [a.json, b.parquet]\nmax_train_samples:\n");
    expect(recipe.train_files).toEqual(["a.json", "b.parquet"]);
    expect(recipe.max_train_samples).toBeUndefined();
  });

  test("names the files' columns as a mapping, key by key or as a text", () => {
    const columns = { question: "Frage", context: "body.text" };
    const lines = "columns: {question: Frage, context: body.text}\n";
    expect(read(least).columns).toBeUndefined();
    expect(read(least + lines).columns).toEqual(columns);
    expect(read(least, ["columns=question=Frage,context=body.text"]).columns).toEqual(columns);
    expect(read(least + lines, ["columns.answer=Antwort"]).columns).toEqual({ ...columns, answer: "Antwort" });
    const error = errorOf(() => read(`${least}columns:\n  frage: question\n`));
    expect([error.code, error.message]).toEqual(["RECIPE_UNKNOWN_KEY", expect.stringMatching(/mine\.yaml:4: columns has no key frage[^]*question, context, answer/)]);
    expect(errorOf(() => read(least, ["columns=Frage"])).code).toBe("RECIPE_VALUE");
  });

  test("is the same after it was saved with every default written out", () => {
    const recipe = read(`${least}eval_files: [b.json]\nwarmup_ratio: 0.1\nresume_from_checkpoint: runs/x/checkpoint-5\n`);
    expect(read(recipeToYaml(recipe))).toEqual(recipe);
  });

  test.each(readdirSync("recipes").filter((name) => name.endsWith(".yaml")))("recipes/%s is one", async (name) => {
    expect((await loadRecipe(`recipes/${name}`)).output_dir).toBe(`runs/${name.replace(".yaml", "")}`);
  });

  test("recipes/distilbert-squad.yaml holds the published settings", async () => {
    expect(await loadRecipe("recipes/distilbert-squad.yaml")).toMatchObject({
      model: "distilbert-base-uncased",
      max_length: 384,
      stride: 128,
      learning_rate: 2e-5,
      per_device_train_batch_size: 16,
      num_train_epochs: 3,
      weight_decay: 0.01,
      eval_strategy: "steps",
      eval_steps: 500,
      save_steps: 500,
      save_total_limit: 3,
      load_best_model_at_end: true,
      report_to: ["tensorboard"],
    });
  });
});

describe("overrides", () => {
  test("win over the file, and are read as YAML", () => {
    const recipe = read(`${least}learning_rate: 1e-3\n`, ["learning_rate=2e-4", "eval_files=[b.json, c.json]", "pad_to_max_length=true"]);
    expect(recipe).toMatchObject({ learning_rate: 2e-4, eval_files: ["b.json", "c.json"], pad_to_max_length: true });
  });

  test("stay text where only a text will do", () => {
    expect(read(least, ["revision=1234567", "output_dir=2024"])).toMatchObject({ revision: "1234567", output_dir: "2024" });
  });

  test("may hold an equals sign", () => {
    expect(read(least, ["output_dir=runs/a=b"]).output_dir).toBe("runs/a=b");
  });

  test.each(["learning_rate", "=3", ""])("%j is refused", (override) => {
    expect(errorOf(() => read(least, [override])).code).toBe("OVERRIDE_SYNTAX");
  });

  test("of a nested key that does not exist names it in full", () => {
    expect(errorOf(() => read(least, ["lora.rank=8"])).message).toContain("lora is not a key");
    expect(errorOf(() => read(least, ["model.name=x"])).message).toContain("model holds no settings of its own");
  });
});

describe("mistakes", () => {
  test("an unknown key, with its line and the nearest one", () => {
    const error = errorOf(() => read(`${least}\n# faster\nlearning_rat: 1e-4\n`));
    expect(error.code).toBe("RECIPE_UNKNOWN_KEY");
    expect(error.message).toMatchInlineSnapshot(`
      "recipes/mine.yaml:5: learning_rat is not a key of a recipe. Did you mean learning_rate?
        next: Write learning_rate, or see docs/recipes.md for every key."
    `);
  });

  test("a wrong type, with its line, what was expected and what came", () => {
    expect(errorOf(() => read(`${least}per_device_train_batch_size: many\n`)).message).toMatchInlineSnapshot(`
      "recipes/mine.yaml:3: per_device_train_batch_size has a wrong value.
        expected: a whole number, at least 1
        received: the text "many"
        next: Windows in a batch."
    `);
  });

  test("a value that is not among those there are", () => {
    const error = errorOf(() => read(least, ["lr_scheduler_type=quadratic"]));
    expect(error.detail).toMatchObject({
      expected: "one of linear, cosine, constant, constant_with_warmup",
      received: 'the text "quadratic"',
    });
    expect(error.message).toContain("override lr_scheduler_type=quadratic");
  });

  test("a part of a step", () => {
    expect(errorOf(() => read(`${least}save_steps: 1.5\n`)).detail.expected).toContain("a whole number of steps, or a share");
  });

  test("a missing key", () => {
    expect(errorOf(() => read("train_files: a.json\n")).message).toContain("model is missing");
  });

  test("all at once", () => {
    const { message } = errorOf(() => read(`${least}seed: x\nstried: 3\n`, ["optim=lion"]));
    for (const part of ["3 mistakes", "mine.yaml:3: seed", "mine.yaml:4: stried", "mean stride?", "override optim=lion"])
      expect(message).toContain(part);
  });

  test.each([
    ["not closed", "model: [a\n", 2],
    ["a key twice", `${least}model: n\n`, 3],
  ])("YAML that is none: %s", (_, text, line) => {
    const error = errorOf(() => read(text));
    expect(error.code).toBe("RECIPE_SYNTAX");
    expect(error.message).toContain(`mine.yaml:${line}: this is not YAML`);
  });

  test.each(["- a\n- b\n", "just a text", "42"])("no mapping: %j", (text) => {
    expect(errorOf(() => read(text)).code).toBe("RECIPE_SYNTAX");
  });

  test("a file that is not there", async () => {
    await expect(loadRecipe("recipes/none.yaml")).rejects.toMatchObject({ code: "FILE_MISSING" });
  });

  test("any text is a recipe or a LecternError, never a crash", () => {
    const line = fc.tuple(
      fc.constantFrom("model", "train_files", "stride", "seed", "report_to", "x", "&a", "*a", "? "),
      fc.string({ maxLength: 12 }),
    );
    const words = fc.oneof(
      fc.string(),
      fc.constantFrom("toString=1", "__proto__=2", "constructor.name=3", "seed.x=4", "model=*a", "stride=!!x 1"),
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(line.map(([key, value]) => `${key}: ${value}`)).map((lines) => lines.join("\n")),
    );
    fc.assert(
      fc.property(texts, fc.array(words, { maxLength: 2 }), (text, overrides) => {
        try {
          read(text, overrides);
        } catch (error) {
          expect(error).toBeInstanceOf(LecternError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("contradictions are refused with the reason", () => {
  const evaluating = "eval_files: b.json\neval_strategy: steps\n";
  test.each([
    ["stride as long as the window", "stride: 384", "not below max_length"],
    ["no training file", "train_files: []", "nothing to train on"],
    ["nothing to evaluate on", "eval_strategy: steps", "nothing to evaluate on"],
    ["two sources of evaluation data", "eval_files: b.json\nvalidation_split: 0.1", "both given"],
    ["all data held out", "validation_split: 1", "no sample to train on"],
    ["best without evaluations", "load_best_model_at_end: true", "eval_strategy is no"],
    ["best with other strategies", `${evaluating}load_best_model_at_end: true\nsave_strategy: epoch`, "save_strategy is epoch"],
    ["best with steps that miss each other", `${evaluating}load_best_model_at_end: true\neval_steps: 200`, "not a multiple"],
    ["best with shares and steps", `${evaluating}load_best_model_at_end: true\neval_steps: 0.1`, "not a multiple"],
    ["patience without evaluations", "early_stopping_patience: 2", "eval_strategy is no"],
    ["two warm-ups", "warmup_steps: 10\nwarmup_ratio: 0.1", "both given"],
    ["a warm-up that is not made", "lr_scheduler_type: constant\nwarmup_steps: 10", "constant_with_warmup"],
    ["padding in the loss of unpadded windows", "mask_padding_in_loss: false", "lets padding into the loss"],
    ["a threshold for answers there are always", "null_score_diff_threshold: 1", "version_2_with_negative is false"],
  ])("%s", (_, text, reason) => {
    const error = errorOf(() => read(`model: m\n${text.includes("train_files") ? "" : "train_files: a.json\n"}${text}\n`));
    expect(error.code).toBe("RECIPE_CONTRADICTION");
    expect(error.message).toContain(reason);
    expect(error.message).toMatch(/^recipes\/mine\.yaml/);
  });

  test("shares that fit are none", () => {
    expect(read(`${least}${evaluating}load_best_model_at_end: true\neval_steps: 0.1\nsave_steps: 0.3\n`).save_steps).toBe(0.3);
  });
});
