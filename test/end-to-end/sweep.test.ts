/** `lectern sweep` as a process that is killed: called again it carries on, and ends with the figures of one that was not. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkplace, type Workplace } from "./command-line.js";

let place: Workplace;
beforeAll(async () => {
  place = await openWorkplace();
});
afterAll(() => place.remove());

const words = [
  "sweep",
  "recipe.yaml",
  "--parameter",
  "learning_rate=1e-4..0.03:log",
  "--trials",
  "4",
  "--rungs",
  "2",
  "--eta",
  "2",
  "--metric",
  "loss",
];

/** The table alone, which has no times in it. */
const tableOf = (stdout: string): string => stdout.slice(stdout.indexOf("trial "), stdout.indexOf("\n\n", stdout.indexOf("trial ")));

test("after kill -9 in two places the same call ends with the same table, and a second process is refused meanwhile", async () => {
  const whole = await place.lectern(...words, "--out", "whole");
  expect(tableOf(whole.stdout)).toMatch(/trial +learning_rate +trained +loss\n(?:\d.*\n?){4}/);

  const first = place.start(...words, "--out", "killed");
  await first.printed("trial 2, rung 1 of 2");
  first.process.kill("SIGSTOP"); // it must not be done before the second one asks
  const second = await place.lectern(...words, "--out", "killed");
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining("a sweep by process")]);
  first.process.kill("SIGKILL");
  await first.ended;
  const third = place.start(...words, "--out", "killed");
  await third.printed("rung 2 of 2");
  third.process.kill("SIGKILL");
  await third.ended;
  const last = await place.lectern(...words, "--out", "killed");
  expect(last.stderr).toContain("carrying on: 4 trials had begun in killed");
  expect(tableOf(last.stdout)).toBe(tableOf(whole.stdout));
});
