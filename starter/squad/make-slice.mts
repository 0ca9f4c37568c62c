/**
 * Makes train.json, the slice that the quickstart trains on: questions on articles that have none in dev.json, on contexts short enough that many
 * of them fit into the quickstart's minutes, drawn context by context so that all articles are in it.
 *
 *     npx tsx starter/squad/make-slice.mts ../shared/data/squad-v1.1-train.json
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { permutation } from "../../src/engine/random.js";
import { Tokenizer } from "../../src/text/tokenizer.js";

interface Squad {
  version: string;
  data: { title: string; paragraphs: { context: string; qas: unknown[] }[] }[];
}

/** Tokens of a context at most; a question adds about 14, special tokens 3. */
const longestContext = 146;
const questions = 1800;
const seed = 42;

const folder = import.meta.dirname;
const whole = JSON.parse(await readFile(process.argv[2], "utf8")) as Squad;
const dev = JSON.parse(await readFile(join(folder, "dev.json"), "utf8")) as Squad;
const tokenizer = await Tokenizer.fromFolder(join(folder, "../minilm-l6"));
const seen = new Set(dev.data.map(({ title }) => title));

const candidates = [];
for (const { title, paragraphs } of whole.data) {
  if (seen.has(title)) continue;
  for (const paragraph of paragraphs) {
    const { ids } = await tokenizer.encode(paragraph.context, { addSpecialTokens: false });
    if (ids.length <= longestContext) candidates.push(paragraph);
  }
}
const chosen = new Set<unknown>();
let count = 0;
for (const index of permutation(candidates.length, seed)) {
  if (count + candidates[index].qas.length > questions) continue;
  chosen.add(candidates[index]);
  count += candidates[index].qas.length;
}
const data = whole.data
  .map(({ title, paragraphs }) => ({ title, paragraphs: paragraphs.filter((paragraph) => chosen.has(paragraph)) }))
  .filter(({ paragraphs }) => paragraphs.length > 0);
await writeFile(join(folder, "train.json"), JSON.stringify({ version: whole.version, data }));
console.log(`${count} questions, ${chosen.size} contexts, ${data.length} articles`);
