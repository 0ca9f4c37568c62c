/**
 * Evaluates two models on the same questions and writes a report that sets them side by side: a page to open in a browser, CSV and parquet.
 *
 *   npx tsx examples/report.ts MODEL OTHER_MODEL [FOLDER] [QUESTIONS]
 */
import { evaluateModel, loadExamples, pairedBootstrap, writeReport } from "lectern";

const [first, second, folder = "runs/report", questions = "200"] = process.argv.slice(2);
const { examples } = await loadExamples("starter/squad/dev.json", { limit: Number(questions) });
const model = await evaluateModel(first, examples);
const compare = await evaluateModel(second, examples);
const { page } = await writeReport(folder, { examples, model, compare, facts: { data: "the starter's development set" } });
console.log(`F1 ${model.metrics.f1.toFixed(1)} and ${compare.metrics.f1.toFixed(1)}: open ${page}`);

// The statistics are there by themselves, too: how much longer are the answers of the one, in characters?
const lengths = (answers: typeof model.answers) => examples.map(({ id }) => answers.predictions.get(id)!.length);
const { difference, low, high } = pairedBootstrap(lengths(model.answers), lengths(compare.answers));
console.log(`answers are ${difference.toFixed(1)} characters longer (95%: ${low.toFixed(1)} to ${high.toFixed(1)})`);
