/** `lectern doctor`: what this machine offers Lectern, how fast its matrix products are, and what memory a recipe would take. */
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import type { Command } from "commander";
import { nativeRuntime } from "../engine/index.js";
import { estimateMemory, type MemoryEstimate } from "../train/memory-estimate.js";
import { loadRecipe } from "../train/recipe-load.js";
import { collect, withExamples } from "./help.js";
import { Output } from "./output.js";
import { feedForwardProduct, productSpeed } from "./product-speed.js";

interface DoctorOptions {
  memory?: string;
  set: string[];
  json?: boolean;
}

export function registerDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("check the installation and the machine; with --memory, what a recipe would need")
    .option("--memory <recipe>", "print the peak activation memory of a recipe under each residual policy")
    .option("--set <key=value>", "settings that win over the recipe's; may be repeated", collect, [])
    .option("--json", "print as JSON")
    .action(async (options: DoctorOptions) => {
      const output = new Output(options.json ?? false);
      if (options.memory !== undefined) {
        const estimate = await estimateMemory(await loadRecipe(options.memory, options.set, { onNote: (line) => output.note(line) }));
        output.result(estimate, () => memoryTable(estimate));
        return;
      }
      const found = await examine();
      output.result(found, () => Object.entries(found).map(([name, value]) => `${name.padEnd(16)}${value}`).join("\n"));
    });
  withExamples(command, [
    { line: "lectern doctor", does: "the installation and the machine" },
    { line: "lectern doctor --memory recipes/quickstart.yaml", does: "memory of a training" },
  ]);
}

async function examine(): Promise<Record<string, string>> {
  const runtime = nativeRuntime();
  return {
    node: `${process.version} on ${process.platform}-${process.arch}`,
    processor: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores`,
    memory: `${gibibytes(totalmem())} in all, ${gibibytes(freemem())} free`,
    runtime: runtime.name,
    "matrix product": `${(await productSpeed(runtime, feedForwardProduct)).toFixed(0)} GFLOP/s (float32, 768 × 384 · 384 × 1536, the product of a small encoder's feed-forward layer)`,
  };
}

function memoryTable({ atOnce, weights, gradients, optimizer, dropout, activations }: MemoryEstimate): string {
  const line = (name: string, bytes: number, remark = "") => `${name.padEnd(34)}${`${(bytes / 1e6).toFixed(0)} MB`.padStart(9)}${remark}`;
  return [
    line("weights", weights),
    line("gradients", gradients, atOnce > 1 ? `  (of ${atOnce} micro-batches at once)` : ""),
    line("optimizer state", optimizer),
    line("random elements of dropout", dropout),
    "",
    "peak of activations, by what the forward pass keeps (residuals=…)",
    ...Object.entries(activations).map(([policy, { bytes, batch, seq }]) => line(`  ${policy}`, bytes, `  (${atOnce > 1 ? `${atOnce} micro-batches` : "micro-batch"} of ${batch} × ${seq} tokens)`)),
  ].join("\n");
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
