/** Options under all their names, misspelt ones, and settings of a recipe as options. */
import { describe, expect, test } from "vitest";
import { runVerb } from "../../test/verbs.js";
import { LecternError } from "../errors.js";
import { withUsualNames } from "./option-names.js";
import { createProgram } from "./program.js";
import { readRecipeWords } from "./recipe-words.js";
import { loadVerbs } from "./verbs.js";

const verbs = createProgram(await loadVerbs()).commands;
const usual = (line: string): string => withUsualNames(line.split(" "), verbs).join(" ");

describe("an option", () => {
  test.each([
    ["evaluate --max_seq_length 128 --doc-stride=32 --n-best 5", "evaluate --max-length 128 --stride=32 --n-best-size 5"],
    [
      "predict --max-answer-len 9 --threshold 1 --per_device_eval_batch_size 2",
      "predict --max-answer-length 9 --null-score-diff-threshold 1 --batch-size 2",
    ],
    ["ask --max-seq-len 64 --n-best-size 3 --handle_impossible_answer", "ask --max-length 64 --top-k 3 --version-2-with-negative"],
    ["inspect a.json --limit 3", "inspect a.json --max-samples 3"],
    ["score a b --na-prob-file c --na-prob-thresh 1", "score a b --na-prob c --threshold 1"],
    ["evaluate --model_name_or_path m -- --doc-stride", "evaluate --model m -- --doc-stride"],
    ["train r.yaml --doc_stride 3", "train r.yaml --doc_stride 3"],
    ["none --doc-stride 3", "none --doc-stride 3"],
  ])("%s", (line, meant) => expect(usual(line)).toBe(meant));

  test("that is misspelt is told as that, and not as one that is missing", async () => {
    const { exitCode, stderr } = await runVerb(await loadVerbs(["evaluate"]), "evaluate", "--modle", "m", "--data", "d");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("unknown option '--modle'\n(Did you mean --model?)");
    expect((await runVerb(await loadVerbs(["evaluate"]), "evaluate", "--model", "m")).stderr).toContain(
      "required option '--data <files...>'",
    );
  });

  test("stands for one thing in all verbs: no two names of one thing are in use", () => {
    const used = new Set(verbs.flatMap(({ options }) => options.map(({ long }) => long)));
    for (const [name, ...others] of [
      ["--max-length", "--max-seq-len", "--max-seq-length"],
      ["--stride", "--doc-stride"],
      ["--max-answer-length", "--max-answer-len"],
      ["--max-samples", "--limit"],
    ]) {
      expect(used).toContain(name);
      for (const other of others) expect(used).not.toContain(other);
    }
  });
});

describe("settings of a recipe as options", () => {
  test.each([
    ["r.yaml --learning-rate 1e-4 --pad_to_max_length", ["r.yaml"], ["learning_rate=1e-4", "pad_to_max_length=true"]],
    ["--fp16 r.yaml seed=3", ["r.yaml"], ["fp16=true", "seed=3"]],
    ["--pad_to_max_length false r.yaml", ["r.yaml"], ["pad_to_max_length=false"]],
    ["r.yaml --train_files a.json b.json --seed=4", ["r.yaml"], ['train_files=["a.json","b.json"]', "seed=4"]],
    ["r.yaml --max_steps -1 --resume_from_checkpoint", ["r.yaml"], ["max_steps=-1", "resume_from_checkpoint=true"]],
    ["r.yaml --columns question=Frage,context=Text seed=4", ["r.yaml"], ["columns=question=Frage,context=Text", "seed=4"]],
    ["r.yaml more", ["r.yaml", "more"], []],
  ])("%s", (line, operands, overrides) => {
    expect(readRecipeWords(line.split(" "), "train")).toEqual({ operands, overrides });
  });

  test.each([
    ["r.yaml --learning-rat 1", /unknown option '--learning-rat'\n\(Did you mean learning_rate=VALUE\?\)/],
    ["r.yaml --learning-rate", /--learning-rate has no value/],
  ])("%s is refused", (line, message) => {
    const read = () => readRecipeWords(line.split(" "), "train");
    expect(read).toThrow(LecternError);
    expect(read).toThrow(message);
  });
});
