import { expect, test } from "vitest";
import { createProgram } from "./program.js";
import { loadVerbs } from "./verbs.js";

const names = async (...words: string[]) => createProgram(await loadVerbs(words)).commands.map((verb) => verb.name());

test("a command line loads the verb that it names, and all verbs where it names none", async () => {
  const all = await names();
  expect(all.slice(0, 3)).toEqual(["quickstart", "train", "evaluate"]);
  for (const verb of all) expect(await names(verb, "--help")).toEqual([verb]);
  for (const words of [["--help"], ["help", "train"], ["trian"], ["toString"], [""]]) expect(await names(...words)).toEqual(all);
});
