/** A reader's training that is killed again and again, at any moment, and goes on each time: it ends as one that nobody killed, bit for bit. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomGenerator } from "../../src/engine/random.js";
import { listCheckpoints } from "../../src/train/checkpoints.js";
import type { Ended, RunningProcess } from "../process.js";
import { openWorkplace, type Workplace } from "./command-line.js";

const kills = 50;
let place: Workplace;
beforeAll(async () => {
  place = await openWorkplace();
});
afterAll(() => place.remove());

/** Starts, or goes on where there is something to go on from. */
async function start(output: string): Promise<RunningProcess> {
  const resume = (await listCheckpoints(join(place.folder, output))).length > 0;
  const more = ["max_steps=24", "save_total_limit=3", "load_best_model_at_end=true"];
  return place.start("train", "recipe.yaml", `output_dir=${output}`, `resume_from_checkpoint=${resume}`, ...more);
}

test(`${kills} kills at any moment change nothing of what comes out`, async () => {
  const results = async (output: string): Promise<unknown> => {
    const { eval_loss, f1, train_loss } = await place.json(output, "all_results.json");
    return { eval_loss, f1, train_loss, weights: (await place.read(output, "model.safetensors")).toString("base64") };
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
    await rm(join(place.folder, output), { recursive: true });
  }
  expect(resumed).toBeGreaterThan(kills / 4);
});
