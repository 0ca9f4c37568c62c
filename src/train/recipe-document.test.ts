import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { recipeJsonSchema, recipeKeys } from "./recipe-keys.js";

test("recipes/recipe.schema.json is the schema (npm run schema writes it)", async () => {
  await expect(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`).toMatchFileSnapshot("../../recipes/recipe.schema.json");
});

const begin = "<!-- the keys, from the schema: npm run schema -->\n";
const end = "<!-- end of the keys -->";

test("docs/recipes.md lists every key (npm run schema writes the table)", async () => {
  const document = readFileSync("docs/recipes.md", "utf8");
  const [before, rest] = document.split(begin);
  const after = rest.slice(rest.indexOf(end));
  const rows = recipeKeys.map(({ name, expected, default: value, description }) => {
    return `| \`${name}\` | ${value === undefined ? "" : `\`${JSON.stringify(value)}\``} | ${description} | ${expected} |`;
  });
  const table = ["| key | default | meaning | value |", "| --- | --- | --- | --- |", ...rows].join("\n");
  await expect(`${before}${begin}${table}\n${after}`).toMatchFileSnapshot("../../docs/recipes.md");
});

test("every key says what it is for", () => {
  for (const { name, description } of recipeKeys) expect(description, name).toMatch(/^[A-Z\d].*\.$|^(true|extractive): .*\.$/);
});
