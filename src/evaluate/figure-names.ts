/**
 * Names of the figures of an evaluation. In files and on the terminal the figures that say how good a reader is stand bare (exact, f1, …), as the SQuAD
 * scripts print them; those that say how an evaluation went, and its loss, have the `eval_` of Hugging Face's Trainer.
 */

const technical = /^(?:loss|runtime|samples|windows|questions_cut|.*_per_second|model_preparation_time|latency_.*)$/;

/**
 * A figure's name in a table of results.
 * @example
 * resultName("runtime"); // "eval_runtime"
 * resultName("f1"); // "f1"
 */
export function resultName(figure: string): string {
  return isTechnical(figure) ? `eval_${figure}` : figure;
}

/** Whether a figure says how an evaluation went, and not how good the reader is; the loss counts among them. */
export function isTechnical(figure: string): boolean {
  return technical.test(figure);
}

/** Figures under the names of a table of results. */
export function resultFigures(metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [resultName(name), value]));
}
