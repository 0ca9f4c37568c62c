/** Checkpoints that something happened to, and output folders that two runs want. */
import { readFileSync, writeFileSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkpointsOf, json, newOutput, runOnce } from "../../test/fake-training.js";
import { checksumsFile } from "./checkpoint-checksums.js";

/** Changes one character of a file and leaves its size. */
function damage(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[Math.floor(at * (bytes.length - 1))] ^= 1;
  writeFileSync(file, bytes);
}

describe("damage that leaves a file's size alone", () => {
  const files = ["config.json", "weights.json", "optimizer.json", "recipe.yaml", "trainer_state.json", checksumsFile];

  test.each(files.flatMap((file) => [0, 0.5, 1].map((at) => [file, at] as const)))("in %s at %d is noticed on resume", async (file, at) => {
    const output = newOutput();
    const whole = await runOnce(output);
    damage(join(output, "checkpoint-50", file), at);
    const { events, weights } = await runOnce(output, ["resume_from_checkpoint=true"]);
    expect(events[0]).toMatchObject({ step: 40, resumedFrom: join(output, "checkpoint-40") });
    expect((events[0] as { notes: string[] }).notes.join("\n")).toMatch(
      file === checksumsFile ? /checkpoint-50: \S+ is / : new RegExp(`checkpoint-50: ${file} is `),
    );
    expect(weights).toEqual(whole.weights);
    const named = [`resume_from_checkpoint=${join(output, "checkpoint-20")}`, "overwrite_output_dir=true"];
    damage(join(output, "checkpoint-20", file), at);
    await expect(runOnce(output, named)).rejects.toMatchObject({ code: "CHECKPOINT_INCOMPLETE" });
  });

  test("a list of checksums that is cut short at a line is damaged", async () => {
    const output = newOutput();
    await runOnce(output);
    const file = join(output, "checkpoint-50", checksumsFile);
    const lines = readFileSync(file, "utf8").split("\n");
    await writeFile(file, `${lines.slice(0, -2).join("\n")}\n`);
    const { events } = await runOnce(output, ["resume_from_checkpoint=true"]);
    expect(events[0]).toMatchObject({ step: 40 });
  });

  test("sha256sum checks a checkpoint, also one whose evaluation came later", async () => {
    const output = newOutput();
    await runOnce(output, ["eval_strategy=no"]); // the last step is saved, then evaluated, then saved again
    for (const name of await checkpointsOf(output)) {
      const files = await readdir(join(output, name));
      const lines = readFileSync(join(output, name, checksumsFile), "utf8")
        .trim()
        .split("\n");
      expect(lines.map((line) => line.slice(66)).sort()).toEqual(files.filter((file) => file !== checksumsFile).sort());
      if (process.platform === "linux")
        execFileSync("sha256sum", ["--check", "--strict", "--quiet", checksumsFile], { cwd: join(output, name) });
    }
  });
});

describe("a best checkpoint", () => {
  const best = ["load_best_model_at_end=true", "metric_for_best_model=loss"];
  const evaluationLosses = [9, 1, 2, 3]; // before training, after 20, 40 and 50 steps

  test.each(["removed", "damaged"])("that was %s while the run went on gives way to the next best, and that is told", async (what) => {
    const output = newOutput();
    const { done } = await runOnce(output, best, { evaluationLosses }, ({ type, step }) => {
      if (type === "step" && step === 45) {
        const folder = join(output, "checkpoint-20");
        if (what === "damaged") damage(join(folder, "weights.json"), 0.5);
        else execFileSync(process.execPath, ["-e", `require("fs").rmSync(${JSON.stringify(folder)}, { recursive: true })`]);
      }
      return false;
    });
    expect(done).toMatchObject({ loadedBest: join(output, "checkpoint-40"), results: { eval_loss: 2 } });
    expect(done?.passedOver).toEqual([expect.stringContaining("checkpoint-20: ")]);
    expect(await json(output, "trainer_state.json")).toMatchObject({ best_model_checkpoint: join(output, "checkpoint-40") });
  });

  test("of which none is left, the run ends with the last model", async () => {
    const output = newOutput();
    const { done } = await runOnce(output, [...best, "save_strategy=steps"], { evaluationLosses }, ({ type, step }) => {
      if (type === "checkpoint" && step === 50) {
        for (const name of ["checkpoint-20", "checkpoint-40"])
          execFileSync(process.execPath, ["-e", `require("fs").rmSync(${JSON.stringify(join(output, name))}, { recursive: true })`]);
      }
      return false;
    });
    expect(done).not.toHaveProperty("loadedBest");
    expect(done).toMatchObject({ step: 50, results: { eval_loss: 3 } });
  });
});

test("a checkpoint that is further than the recipe's training goes is refused", async () => {
  const output = newOutput();
  await runOnce(output);
  await expect(runOnce(output, ["resume_from_checkpoint=true", "num_train_epochs=6"])).rejects.toMatchObject({
    code: "CHECKPOINT_MISMATCH",
    detail: { expected: expect.stringContaining("30 steps") as string, received: "one after step 50" },
  });
  await rm(join(output, "checkpoint-50"), { recursive: true });
});

describe("an output folder", () => {
  test("is held by one run: a second is refused with the holder named, and what the first writes is whole", async () => {
    const output = newOutput();
    const first = runOnce(output, [], { stepDelay: 5 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    const refused = {
      code: "FOLDER_HELD",
      detail: { received: expect.stringContaining(`a training by process ${process.pid} on `) as string },
    };
    await expect(runOnce(output)).rejects.toMatchObject(refused);
    await expect(runOnce(output, ["resume_from_checkpoint=true"])).rejects.toMatchObject(refused);
    expect((await first).done).toMatchObject({ step: 50 });
    expect(await readdir(output)).not.toContain(".lectern-lock");
    expect((await runOnce(output, ["resume_from_checkpoint=true"])).done).toMatchObject({ step: 50 });
  });

  test("is free again after a run that was stopped or that failed", async () => {
    const output = newOutput();
    await runOnce(output, [], {}, ({ type, step }) => type === "step" && step === 30);
    await expect(runOnce(output, ["resume_from_checkpoint=true"], { lossNotFiniteAt: 5 })).rejects.toMatchObject({
      code: "LOSS_NOT_FINITE",
    });
    expect((await runOnce(output, ["resume_from_checkpoint=true"])).done).toMatchObject({ step: 50 });
  });
});
