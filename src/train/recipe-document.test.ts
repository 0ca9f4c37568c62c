import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { foreignKeys, type ForeignKey } from "./recipe-aliases.js";
import { recipeJsonSchema, recipeKeys } from "./recipe-keys.js";

test("recipes/recipe.schema.json is the schema (npm run schema writes it)", async () => {
  await expect(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`).toMatchFileSnapshot("../../recipes/recipe.schema.json");
});

/** docs/recipes.md with what stands between a pair of remarks made anew. */
function withTable(document: string, what: string, table: string): string {
  const [begin, end] = [`<!-- the ${what}, from the schema: npm run schema -->\n`, `<!-- end of the ${what} -->`];
  const [before, rest] = document.split(begin);
  return `${before}${begin}${table}\n${rest.slice(rest.indexOf(end))}`;
}

test("docs/recipes.md lists every key, and every argument that is none (npm run schema writes the tables)", async () => {
  const keys = recipeKeys.map(({ name, expected, default: value, description }) => {
    return `| \`${name}\` | ${value === undefined ? "" : `\`${JSON.stringify(value)}\``} | ${description} | ${expected} |`;
  });
  const others = Object.entries(foreignKeys).map(([name, key]) => `| \`${name}\` | ${becomes(key)} |`);
  let document = readFileSync("docs/recipes.md", "utf8");
  document = withTable(document, "keys", ["| key | default | meaning | value |", "| --- | --- | --- | --- |", ...keys].join("\n"));
  document = withTable(document, "arguments", ["| argument | here |", "| --- | --- |", ...others].join("\n"));
  await expect(document).toMatchFileSnapshot("../../docs/recipes.md");
});

function becomes(key: ForeignKey): string {
  if ("because" in key) return `without effect: ${key.because}`;
  if ("instead" in key) {
    const taken = key.unless.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
    return `${key.onlyWith === undefined ? "" : `with \`${key.onlyWith}\` `}only ${taken} or nothing. ${key.instead}`;
  }
  const values = key.values?.map(
    ([theirs, ours]) => `\`${String(theirs)}\` is ${ours === undefined ? "not given" : `\`${String(ours)}\``}`,
  );
  return `\`${key.of}\`${values === undefined ? "" : `: ${values.join(", ")}`}`;
}

test("no argument stands in both tables, and each other name is one of a key", () => {
  const keys = new Set(recipeKeys.map(({ name }) => name));
  for (const [name, key] of Object.entries(foreignKeys)) {
    expect(keys.has(name), name).toBe(false);
    if ("of" in key) expect(keys, name).toContain(key.of);
  }
});

test("every key says what it is for", () => {
  for (const { name, description } of recipeKeys) expect(description, name).toMatch(/^[A-Z\d].*\.$|^(true|extractive): .*\.$/);
});
