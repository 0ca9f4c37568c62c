import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readModelOrigin } from "./origin.js";

const folderWith = async (card: string) => {
  const folder = await mkdtemp(join(tmpdir(), "lectern-origin-"));
  await writeFile(join(folder, "README.md"), card);
  return folder;
};

test("the licence, base model and languages of a model card", async () => {
  expect(await readModelOrigin(await folderWith("---\nlicense: mit\nbase_model: org/base\n---\n# A model"))).toEqual({ license: "mit", baseModel: "org/base" });
  expect(await readModelOrigin(await folderWith("---\nbase_model:\n- org/base\nlanguage:\n- de\n- en\n---\n"))).toEqual({ baseModel: "org/base", languages: ["de", "en"] });
});

test.each(["", "# no front matter", "---\n: [broken\n---\n", "---\nlicense: 3\n---\n"])("a card that tells nothing: %j", async (card) => {
  expect(await readModelOrigin(await folderWith(card))).toEqual({});
});

test("the bundled model's", async () => {
  expect(await readModelOrigin(join(import.meta.dirname, "../../starter/minilm-l6"))).toEqual({ license: "apache-2.0", baseModel: "sentence-transformers/all-MiniLM-L6-v2", languages: ["en"] });
});
