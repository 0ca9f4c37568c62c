/** `npm run bench -- NAME [options]`: runs one benchmark and prints one JSON object; progress goes to standard error. */
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LecternError } from "../src/errors.js";
import { benchModels, modelsTable, writeModelsTable } from "./models.js";
import { type PeerMode, peerModes } from "./peer.js";
import type { ProductName } from "./products.js";
import { profileTraining } from "./profile.js";
import { benchQaInference } from "./qa-inference.js";
import { compareResiduals } from "./residuals.js";
import { benchServe } from "./serve.js";
import { benchSquad, type SquadResult } from "./squad.js";

const quickSteps = 14;

const usage = `npm run bench -- squad [options]       training, side by side with the Hugging Face Trainer
npm run bench -- profile [--steps N]   where the time of training goes, by operator
npm run bench -- residuals [--steps N] memory and speed of the residual policies
npm run bench -- qa-inference [--model M]  answering, side by side with PyTorch and ONNX Runtime from Python; F1 of the trained reader M
npm run bench -- models [--model M]    the architectures beside one another, into docs/choosing-a-model.md; M: only those whose names contain it
npm run bench -- serve [--model M]     the server under load (a quarter of an hour; --quick: a minute, without watching memory)

  --quick        the first ${quickSteps} × 16 questions instead of all, without evaluation
  --steps N      the first N × 16 questions
  --eval         evaluate in a quick run, too (a full run always does)
  --ours-only    train our side only
  --peer-only    train the peer only
  --mode MODE    train the peer in this mode only: ${Object.keys(peerModes).join(", ")}

bench/README.md says how to set up the peer.
`;

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parse(args);
  if (values.help || positionals.length === 0) {
    process.stderr.write(usage);
    process.exitCode = values.help ? 0 : 1;
    return;
  }
  const name = positionals.join(" ");
  if (!["squad", "profile", "residuals", "qa-inference", "models", "serve"].includes(name)) {
    throw new LecternError("USAGE", {
      message: "There is no such benchmark.",
      expected: "squad, profile, residuals, qa-inference, models or serve",
      received: positionals.join(" "),
      next: usage,
    });
  }
  if (values["ours-only"] && values["peer-only"]) {
    throw new LecternError("USAGE", { message: "--ours-only and --peer-only exclude each other.", next: "Give one of them, or neither." });
  }
  const { mode } = values;
  if (mode !== undefined && !(mode in peerModes)) {
    throw new LecternError("USAGE", { message: "The peer has no such mode.", expected: Object.keys(peerModes).join(", "), received: mode, next: usage });
  }
  const steps = values.steps === undefined ? (values.quick ? quickSteps : undefined) : Number(values.steps);
  if (steps !== undefined && !(Number.isInteger(steps) && steps >= 3)) {
    throw new LecternError("USAGE", {
      message: "--steps is too few or no number.",
      expected: "a whole number from 3 (two steps are warm-up)",
      received: values.steps,
    });
  }
  const started = new Date();
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const machine = {
    processor: cpus()[0]?.model,
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 1e9),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" && Math.abs(value) >= 0.01 ? Number(value.toFixed(3)) : value;
  const print = (result: object): void => {
    process.stdout.write(`${JSON.stringify({ benchmark: name, date: started.toISOString(), machine, ...result }, rounded)}\n`);
  };
  if (name === "profile") return print(await profileTraining(root, steps ?? 6));
  if (name === "serve") return print(await benchServe({ root, model: values.model, seconds: values.quick ? 10 : 30, minutes: values.quick ? 0 : 10 }));
  if (name === "qa-inference") return print(await benchQaInference({ root, model: values.model, peer: !values["ours-only"] }));
  if (name === "residuals") return print(await compareResiduals(root, steps ?? 6));
  if (name === "models") {
    const measured = await benchModels(root, values.model);
    const table = modelsTable(measured, `${machine.cores} cores of ${machine.processor}, Node ${machine.node}, ${started.toISOString().slice(0, 10)}`);
    if (values.model === undefined) writeModelsTable(join(root, "docs", "choosing-a-model.md"), table);
    else process.stderr.write(`${table}\n`);
    return print(measured);
  }
  const result = await benchSquad({
    root,
    steps,
    mode: mode as PeerMode | undefined,
    side: values["ours-only"] ? "ours" : values["peer-only"] ? "peer" : undefined,
    evaluate: values.eval === true || steps === undefined,
    productSeconds: 1,
  });
  summarise(result);
  print({ quick: steps !== undefined, ...result });
}

/** The same in a few lines for the person watching. */
function summarise({ ours, peers, ratios, products, of_the_machine: shares }: SquadResult): void {
  const line = (name: string, f: { samples_per_second: number; peak_memory_mb?: number; f1?: number }): string =>
    `${name.padEnd(22)}${f.samples_per_second.toFixed(2).padStart(8)} samples/s ${(f.peak_memory_mb ?? NaN).toFixed(0).padStart(7)} MB${f.f1 === undefined ? "" : `   F1 ${f.f1.toFixed(2)}`}`;
  const near = (side: "ours" | PeerMode): string => {
    const found = shares[side];
    return found === undefined ? "" : `   ${(100 * found.share).toFixed(0)} % of the machine's fastest product`;
  };
  const lines = ours === undefined ? [] : [line("lectern", ours) + near("ours")];
  for (const mode of Object.keys(peers) as PeerMode[]) {
    const ratio = ratios[mode];
    lines.push(
      line(mode, peers[mode]!) +
        (ratio === undefined ? "" : `   lectern is ${ratio.samples_per_second.toFixed(2)} times as fast (to reach: ${ratio.target})`) +
        near(mode),
    );
  }
  for (const [when, { ours: own, peer }] of Object.entries(products)) {
    const speeds = (Object.keys(own) as ProductName[]).map((name) => `${name} ${own[name].toFixed(0)}${peer === undefined ? "" : `, peer ${peer[name].toFixed(0)}`}`);
    lines.push(`products ${when}, GFLOP/s: ${speeds.join("; ")}`);
  }
  process.stderr.write(`\n${lines.join("\n")}\n\n`);
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        quick: { type: "boolean" },
        steps: { type: "string" },
        eval: { type: "boolean" },
        mode: { type: "string" },
        model: { type: "string" },
        "ours-only": { type: "boolean" },
        "peer-only": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new LecternError("USAGE", { message: (error as Error).message, next: usage });
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof LecternError ? `${error.code}: ${error.message}` : (error as Error).stack}\n`);
  process.exitCode = 1;
});
