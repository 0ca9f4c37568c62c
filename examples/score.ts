/** Scores answers as the official SQuAD 1.1 script does: npx tsx examples/score.ts */
import { evaluateSquad1, loadExamples } from "lectern";

const { examples } = await loadExamples("starter/squad/dev.json", { limit: 100 });
const firstWords = new Map(examples.map(({ id, context }) => [id, context.split(" ").slice(0, 3).join(" ")]));
const { exact_match, f1 } = evaluateSquad1(examples, firstWords);
console.log(`the first three words of each context: exact match ${exact_match.toFixed(1)}, F1 ${f1.toFixed(1)}`);
