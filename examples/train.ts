/**
 * Trains from a program. Settings on the command line win over the recipe's.
 *
 *   npx tsx examples/train.ts max_steps=20 max_eval_samples=50
 */
import { LecternError, train } from "lectern";

try {
  const { model, results } = await train("recipes/quickstart.yaml", {
    overrides: ["output_dir=runs/example", ...process.argv.slice(2)],
    onEvent: (event) => {
      if (event.type === "log")
        console.log(`step ${event.step}: loss ${event.loss.toFixed(3)}, ${event.samplesPerSecond.toFixed(1)} samples/s`);
    },
  });
  console.log(`F1 ${results.baseline_f1.toFixed(1)} before, ${results.f1.toFixed(1)} after; the model is in ${model}`);
} catch (error) {
  if (!(error instanceof LecternError)) throw error;
  console.error(`${error.code}: ${error.message}`); // a mistake that you can mend; docs/errors.md lists the codes
  process.exitCode = 1;
}
