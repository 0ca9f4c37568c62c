/** Questions with answers of two models, made by rule: right, wrong and missing ones, with texts that would do harm in a page that trusts them. */
import type { QaExample } from "../src/data/examples.js";
import type { EvaluatedModel, ReportInput } from "../src/evaluate/report/report-data.js";
import { evaluateSquad1, evaluateSquad2 } from "../src/evaluate/squad.js";
import type { DecodedAnswers } from "../src/tasks/extractive/decode.js";

/** Breaks out of elements, attributes, comments and scripts; a formula; right-to-left text; half an emoji. */
export const hostile = [
  `</script><img src=x onerror="document.title='harmed'">`,
  `"><svg onload=alert(1)><!-- ]]> <script>document.title = 'harmed'</script>`,
  `=HYPERLINK("http://example.invalid")`,
  `مرحبا \u202e reversed \ud83d`,
  `&lt;b&gt; ' \u0000 \u2028 \`\${1 + 1}\``,
];

export const count = 40;

export function reportExamples(withUnanswerable: boolean): QaExample[] {
  return Array.from({ length: count }, (_, i): QaExample => {
    const hurt = hostile[i % hostile.length];
    const context = `Rome ${hurt} fell in ${400 + Math.floor(i / 2)}. Dr. Ada saw ${hurt} there. The end of it was long.`;
    const impossible = withUnanswerable && i % 4 === 3;
    return {
      id: `q${i}`,
      title: i % 5 === 0 ? hurt : `Article_${i % 3}`,
      question: `${["What", "Who", "When", "How many", "Is"][i % 5]} ${hurt}?`,
      context,
      answers: impossible ? [] : [gold(context, `${400 + Math.floor(i / 2)}`), gold(context, "Dr. Ada")],
      impossible,
    };
  });
}

const gold = (context: string, text: string) => ({ text, start: context.indexOf(text) });

/** Answers that are right for each question whose index is no multiple of `wrongEvery`. */
export function model(name: string, examples: readonly QaExample[], wrongEvery: number, nullThreshold?: number): EvaluatedModel {
  const answers: DecodedAnswers = { predictions: new Map(), nullOdds: new Map(), nBest: new Map() };
  for (const [i, { id, context, answers: golds }] of examples.entries()) {
    const wrong = ["Ada saw", "Rome", "The end", "there"][i % 4];
    const text = i % wrongEvery === 0 || golds.length === 0 ? wrong : golds[i % 2].text;
    const start = context.indexOf(text);
    const nullOdds = ((i * 37) % 23) / 4 - 4;
    answers.nBest.set(id, [{ text, start, end: start + text.length, score: 3, probability: ((i * 13) % 40) / 40 }]);
    answers.nullOdds.set(id, nullOdds);
    answers.predictions.set(id, nullThreshold !== undefined && nullOdds > nullThreshold ? "" : text);
  }
  const { predictions, nullOdds } = answers;
  if (nullThreshold === undefined) {
    const { exact_match: exact, f1 } = evaluateSquad1(examples, predictions);
    return { name, metrics: { loss: 1.5, exact, f1 }, answers };
  }
  return { name, metrics: { loss: 1.5, ...evaluateSquad2(examples, predictions, { noAnswerScores: nullOdds, threshold: Infinity }) }, answers };
}

/** Everything that a report can show. */
export function reportInput(version: "1.1" | "2.0"): ReportInput {
  const nullThreshold = version === "2.0" ? 0 : undefined;
  const examples = reportExamples(version === "2.0");
  return {
    examples,
    model: model(`one ${hostile[0]}`, examples, 3, nullThreshold),
    before: { source: `runs/${hostile[1]}`, metrics: { exact: 1, f1: 2, loss: 9 } },
    compare: model(`two ${hostile[1]}`, examples, 2, nullThreshold),
    nullThreshold,
    facts: { data: hostile[0] },
  };
}
