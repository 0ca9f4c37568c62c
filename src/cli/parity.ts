/** `lectern parity CASE_DIR`: this engine's numbers on a case whose PyTorch numbers are known. */
import type { Command } from "commander";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import { writeSafetensors } from "../checkpoint/safetensors.js";
import { LecternError } from "../errors.js";
import { compareParity, computeParity, type ParityLine } from "../train/parity.js";
import { withExamples } from "./help.js";
import { Output } from "./output.js";

interface ParityOptions {
  out?: string;
  train?: string;
  config?: string;
  check?: boolean;
  json?: boolean;
}

export function registerParity(program: Command): void {
  const command = program
    .command("parity")
    .description("compute logits, loss and gradients of a parity case, or compare them with PyTorch's")
    .argument("<case>", "folder with config.json, model.safetensors and inputs.json (docs/parity.md)")
    .option("--out <file>", "write logits, loss and gradients as safetensors")
    .option("--train <file>", "write the training case's losses and gradient norms as JSON")
    .option("--config <name>", "another config file of the case, such as config.legacy.json")
    .option("--check", "compare with expected.safetensors and train.json; exit code 1 over tolerance")
    .option("--json", "print the comparison as JSON")
    .action(async (folder: string, options: ParityOptions) => {
      if (options.out === undefined && options.train === undefined && !options.check) {
        throw new LecternError("ARGUMENT_MISSING", { message: "Nothing was asked for.", expected: "--out FILE, --train FILE or --check", next: "lectern parity --help" });
      }
      const figures = await computeParity(folder, { config: options.config });
      if (options.out !== undefined) await writeSafetensors(options.out, figures.tensors);
      if (options.train !== undefined) {
        if (figures.training === undefined) throw new LecternError("PARITY_CASE_INVALID", { message: `${folder} is not a training case.`, expected: "a train.json" });
        await writeFileAtomic(options.train, `${JSON.stringify(figures.training)}\n`);
      }
      if (!options.check) return;
      const lines = await compareParity(folder, figures);
      new Output(options.json ?? false).result(lines, () => lines.map(show).join("\n"));
      if (lines.some(({ error, tolerance }) => !(error <= tolerance))) process.exitCode = 1;
    });
  withExamples(command, [
    { line: "lectern parity test/parity-cases/bert --check", does: "compare with PyTorch" },
    { line: "lectern parity CASE --out ours.safetensors --train ours.json", does: "write the figures, to compare them elsewhere" },
  ]);
}

function show({ figure, error, where, tolerance }: ParityLine): string {
  const verdict = error <= tolerance ? "ok" : "OVER";
  return `${figure.padEnd(16)} ${error.toExponential(1).padStart(8)}  (at most ${tolerance.toExponential(0)})  ${verdict.padEnd(4)}  ${where}`;
}
