/** `lectern train` with a real model, stopped and killed in every way, against a run that was not: bit for bit the same. */
import { existsSync, watch } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Ended } from "../process.js";
import { startOwn } from "../process.js";
import { jsonLines, openWorkplace, type Workplace } from "./command-line.js";

let place: Workplace;
let whole: Ended;
beforeAll(async () => {
  place = await openWorkplace();
  whole = await place.lectern("train", "recipe.yaml", "output_dir=whole", "--json");
});
afterAll(() => place.remove());

const train = (output: string, ...more: string[]) => place.start("train", "recipe.yaml", `output_dir=${output}`, "--json", ...more);
const lossesOf = (stdout: string) => jsonLines(stdout).flatMap(({ type, step, loss }) => (type === "log" ? [[step, loss]] : []));
const checkpoints = async (output: string) =>
  (await readdir(join(place.folder, output))).filter((name) => name.includes("checkpoint")).sort();

async function expectSameAsWhole(output: string): Promise<void> {
  const last = (await checkpoints("whole")).at(-1)!;
  for (const file of ["model.safetensors", "config.json", join(last, "optimizer.safetensors")]) {
    expect((await place.read(output, file)).equals(await place.read("whole", file)), file).toBe(true);
  }
  expect(await place.history(output)).toEqual(await place.history("whole"));
}

test("an uninterrupted run ends well and leaves its checkpoints", async () => {
  expect([whole.code, whole.stderr]).toEqual([0, ""]);
  expect(lossesOf(whole.stdout).length).toBeGreaterThan(8);
  expect(await checkpoints("whole")).toContain("checkpoint-4");
});

describe("resumed, it is bit-identical to a run that was not interrupted", () => {
  test("after Ctrl-C", async () => {
    const running = train("interrupted");
    await running.printed('"type":"log","step":5');
    running.process.kill("SIGINT");
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    const { step } = jsonLines(stopped.stdout).at(-1) as { step: number };
    expect(await checkpoints("interrupted")).toContain(`checkpoint-${step}`);
    const resumed = await train("interrupted", "resume_from_checkpoint=true").ended;
    expect(resumed.code).toBe(0);
    expect(jsonLines(resumed.stdout)[0]).toMatchObject({ type: "start", step });
    expect([...lossesOf(stopped.stdout), ...lossesOf(resumed.stdout)]).toEqual(lossesOf(whole.stdout));
    await expectSameAsWhole("interrupted");
  });

  test("after kill -9 between two checkpoints", async () => {
    const running = train("killed");
    await running.printed('"type":"log","step":7');
    running.process.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    const resumed = await train("killed", "resume_from_checkpoint=true").ended;
    expect(resumed.code).toBe(0);
    expect(jsonLines(resumed.stdout)[0]).toMatchObject({
      type: "start",
      resumedFrom: expect.stringMatching(/checkpoint-(4|8)$/) as string,
    });
    await expectSameAsWhole("killed");
  });

  test("after kill -9 in the middle of a save, from the checkpoint before", async () => {
    const output = join(place.folder, "half saved");
    const running = train("half saved");
    await running.printed('"type":"checkpoint","step":4');
    await new Promise<void>((resolve) => {
      const watcher = watch(output, (_, name) => {
        if (!name?.includes("checkpoint-8")) return;
        running.process.kill("SIGKILL");
        watcher.close();
        resolve();
      });
    });
    await running.ended;
    const whole = (await checkpoints("half saved")).filter((name) => /^checkpoint-\d+$/.test(name));
    for (const name of whole) expect(existsSync(join(output, name, "trainer_state.json"))).toBe(true);
    const resumed = await train("half saved", "resume_from_checkpoint=true").ended;
    expect(resumed.code).toBe(0);
    expect(jsonLines(resumed.stdout)[0]).toMatchObject({ type: "start", resumedFrom: expect.stringContaining(whole.at(-1)!) as string });
    expect(await checkpoints("half saved")).toEqual(await checkpoints("whole"));
    await expectSameAsWhole("half saved");
  });
});

describe("threads", () => {
  test("two runs on as many are bit-identical, and one thread gives the same losses within float32", async () => {
    const [again, single] = [await train("again").ended, await train("single", "threads=1").ended];
    expect([again.code, single.code]).toEqual([0, 0]);
    expect(lossesOf(again.stdout)).toEqual(lossesOf(whole.stdout));
    await expectSameAsWhole("again");
    const [one, two] = [lossesOf(single.stdout) as [number, number][], lossesOf(whole.stdout) as [number, number][]];
    expect(one.map(([step]) => step)).toEqual(two.map(([step]) => step));
    one.forEach(([step, loss], index) => expect(Math.abs(loss / two[index][1] - 1), `step ${step}`).toBeLessThan(1e-5));
  });
});

test("resident memory does not grow over 200 steps of changing shapes", async () => {
  const { code, stdout, stderr } = await startOwn(
    "test/resident-memory.ts",
    ["recipe.yaml", "260", "10", "per_device_train_batch_size=2"],
    { cwd: place.folder },
  ).ended;
  expect([code, stderr]).toEqual([0, ""]);
  const megabytes = (JSON.parse(stdout) as number[]).map((bytes) => bytes / 2 ** 20).slice(6);
  const [first, last] = [megabytes.slice(0, 5), megabytes.slice(-5)];
  expect(Math.min(...last) - Math.min(...first), megabytes.map(Math.round).join(" ")).toBeLessThan(8);
});
