import { readFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { LecternError, errorCatalogue } from "./errors.js";

/** docs/errors.md, made from the catalogue: `npm run docs:errors` writes it. */
function document(): string {
  const rows = Object.entries(errorCatalogue)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([code, meaning]) => `| \`${code}\` | ${meaning.replaceAll("|", "\\|")} |`);
  return `# Errors

A mistake that a user can mend is told with a code, and exits with 1. Below the sentence that names the thing stand, where they help,
what was \`expected\`, what was \`received\`, and what to do \`next\`:

    error RECIPE_UNKNOWN_KEY: recipes/mine.yaml:5: learning_rat is not a key of a recipe. Did you mean learning_rate?
      next: Write learning_rate, or see docs/recipes.md for every key.

With \`--json\` the same comes as one line of JSON on stderr: \`{"error": {"code", "message", "expected", "received", "next"}}\`.
Codes are stable; the sentences may change. In code: \`error instanceof LecternError && error.code === "…"\`.

Anything else is a mistake in Lectern: it comes with its stack, its code in JSON is \`INTERNAL\`, and it exits with 70. Please report it.
A run stopped by Ctrl-C exits with 130.

| code | what it means, and what to do |
| --- | --- |
${rows.join("\n")}
`;
}

test("docs/errors.md is the catalogue (npm run docs:errors writes it)", async () => {
  await expect(document()).toMatchFileSnapshot("../docs/errors.md");
});

/** Sources of the product and of the benchmark, tests left out. */
const sources = ["src", "bench"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(test|full)\.ts$/.test(name) && name !== "errors.ts")
    .map((name) => readFileSync(`${folder}/${name}`, "utf8")),
);

test("every code of the catalogue is thrown somewhere", () => {
  const unused = Object.keys(errorCatalogue).filter((code) => !sources.some((source) => source.includes(`"${code}"`)));
  expect(unused).toEqual([]);
});

test("an error's text holds all that is known of it", () => {
  const error = new LecternError("FILE_MISSING", {
    message: "There is no a.json.",
    expected: "data",
    received: "nothing",
    next: "Check the path.",
  });
  expect(error.message).toBe("There is no a.json.\n  expected: data\n  received: nothing\n  next: Check the path.");
});
