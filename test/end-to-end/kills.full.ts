/** A reader's training that is killed again and again, at any moment, and goes on each time: it ends as one that nobody killed, bit for bit. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomGenerator } from "../../src/engine/random.js";
import { listCheckpoints } from "../../src/train/checkpoints.js";
import { type Ended, type RunningProcess, startOwn } from "../process.js";
import { starter, writeTinyReader } from "../tiny-reader.js";

const kills = 50;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-kills-"));
  await writeTinyReader(join(folder, "tiny"));
  await writeFile(
    join(folder, "recipe.yaml"),
    `model: tiny
train_files: ${join(starter, "squad/train.json")}
eval_files: ${join(starter, "squad/dev.json")}
max_train_samples: 96
max_eval_samples: 6
max_length: 96
stride: 32
per_device_train_batch_size: 4
learning_rate: 0.01
num_train_epochs: 1
save_steps: 4
eval_strategy: steps
eval_steps: 4
save_total_limit: 3
load_best_model_at_end: true
evaluate_before_training: false
report_to: []
`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

/** Starts, or goes on where there is something to go on from. */
async function start(output: string): Promise<RunningProcess> {
  const resume = (await listCheckpoints(join(folder, output))).length > 0;
  return startOwn("src/cli/main.ts", ["train", "recipe.yaml", `output_dir=${output}`, `resume_from_checkpoint=${resume}`], { cwd: folder });
}

test(`${kills} kills at any moment change nothing of what comes out`, async () => {
  const results = async (output: string): Promise<unknown> => {
    const { eval_loss, f1, train_loss } = JSON.parse(await readFile(join(folder, output, "all_results.json"), "utf8")) as Record<
      string,
      number
    >;
    return { eval_loss, f1, train_loss, weights: (await readFile(join(folder, output, "model.safetensors"))).toString("base64") };
  };
  const started = Date.now();
  expect(await (await start("whole")).ended).toMatchObject({ code: 0 });
  const duration = Date.now() - started;
  const expected = await results("whole");

  const random = randomGenerator(11, 0);
  let killed = 0;
  let resumed = 0;
  for (let round = 0; killed < kills; round++) {
    const output = `killed-${round}`;
    for (;;) {
      const running = await start(output);
      let ended: Ended | undefined;
      void running.ended.then((end) => (ended = end));
      const wait = killed < kills ? random.uniform() * duration : Infinity;
      await (wait < Infinity ? Promise.race([running.ended, pause(wait)]) : running.ended);
      if (ended === undefined) running.process.kill("SIGKILL");
      const { code, signal, stderr } = await running.ended;
      if (stderr.includes("resuming from")) resumed++;
      if (signal === "SIGKILL") {
        killed++;
        continue;
      }
      expect(code, stderr).toBe(0);
      break;
    }
    expect(await results(output), `round ${round}`).toEqual(expected);
    await rm(join(folder, output), { recursive: true });
  }
  expect(resumed).toBeGreaterThan(kills / 4);
});
