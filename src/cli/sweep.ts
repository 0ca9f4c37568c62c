/** `lectern sweep SWEEP.yaml|RECIPE`: searches for the settings of a recipe that give the best evaluation, within a budget of time. */
import { basename, extname, join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type OpenRun, openRun } from "../train/open-run.js";
import { formatDuration } from "../train/progress.js";
import { runSweep, type SweepResult } from "../train/sweep/run-sweep.js";
import { type Method, methods, parseParameter } from "../train/sweep/search-space.js";
import { loadSweep } from "../train/sweep/sweep-file.js";
import type { Trial } from "../train/sweep/sweep-state.js";
import { columns } from "./columns.js";
import { exitCodes } from "./failure.js";
import { collect, wholeNumber, withExamples } from "./help.js";
import { Output } from "./output.js";
import { recipeAndSettings } from "./recipe-words.js";
import { shellWord } from "./train.js";

interface SweepVerbOptions {
  parameter: string[];
  method?: Method;
  trials?: number;
  metric?: string;
  budget?: number;
  eta?: number;
  rungs?: number;
  seed?: number;
  out?: string;
  json?: boolean;
}

/** @param open what a recipe becomes; the tests put a model of a few numbers in its place. */
export function registerSweep(program: Command, open: OpenRun = openRun): void {
  const command = program
    .command("sweep")
    .description("search for the settings of a recipe that give the best evaluation; run again after a stop, it carries on")
    .argument("<file>", "a recipe, or a YAML file that says recipe, parameters, trials, …")
    .argument("[overrides...]", "settings of every trial, as key=value or --key value")
    .allowUnknownOption() // --key value is a setting
    .option("--parameter <range>", "what to vary: KEY=MIN..MAX, KEY=MIN..MAX:log or KEY=A,B,C; may be repeated", collect, [])
    .option("--trials <n>", "most settings that are tried (default: 8)", wholeNumber(1, 10_000))
    .option("--budget <time>", "time for all of it, such as 10m, 90s or 1h; default: as long as it takes", minutes)
    .addOption(new Option("--method <method>", "how settings are chosen (default: sobol)").choices(methods))
    .option("--metric <name>", "the figure of the evaluation that decides (default: f1)")
    .option("--rungs <n>", "parts that a training is cut into; after each the worse trials stop (default: 3)", wholeNumber(1, 8))
    .option("--eta <n>", "one of so many trials goes on, so many times as long (default: 3)", wholeNumber(2, 10))
    .option("--seed <n>", "of the choice of settings (default: 42)", wholeNumber(0))
    .option("--out <folder>", "where results go (default: runs/NAME-sweep)")
    .option("--json", "print what is measured, and the result, as lines of JSON", false)
    .action(async (first: string, others: string[], options: SweepVerbOptions) => {
      await sweepVerb(recipeAndSettings([first, ...others], command), options, open);
    });
  withExamples(command, [
    {
      line: "lectern sweep recipes/quickstart.yaml --parameter learning_rate=1e-5..1e-3:log --budget 10m --trials 12",
      does: "the best rate, in ten minutes",
    },
    { line: "lectern sweep sweep.yaml", does: "as a file says (docs/sweeping.md)" },
  ]);
}

async function sweepVerb(
  { file, overrides }: { file: string; overrides: string[] },
  options: SweepVerbOptions,
  open: OpenRun,
): Promise<void> {
  const output = new Output(options.json ?? false);
  const { eta, rungs } = options;
  const asked = loadSweep(file, {
    overrides,
    parameters: Object.fromEntries(options.parameter.map(parseParameter)),
    method: options.method,
    trials: options.trials,
    metric: options.metric,
    budget_minutes: options.budget,
    halving: { ...(eta !== undefined && { eta }), ...(rungs !== undefined && { rungs }) },
    seed: options.seed,
    out: options.out,
  });
  const sweep = { ...asked, out: asked.out ?? join("runs", `${basename(file, extname(file)).replace(/-?sweep$/, "") || "recipe"}-sweep`) };
  const stop = new AbortController();
  const progress = output.progress();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    progress.line("stopping after this step (once more to stop at once)");
    stop.abort();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    for await (const event of runSweep(sweep, { signal: stop.signal, open })) {
      if (event.type === "note") progress.line(event.text);
      if (event.type === "trial")
        progress.line(
          `trial ${event.number + 1}, rung ${event.rung + 1} of ${event.rungs} (${percent(event.share)} of the training): ${shown(event.parameters)}`,
        );
      if (event.type === "training" && ["start", "step", "evaluating"].includes(event.event.type)) progress.show(event.event);
      if (event.type === "failed") {
        progress.line(`trial ${event.number + 1} ${event.status}, and is passed over: ${event.problem}`);
        if (output.json) output.result(event, () => "");
      }
      if (event.type === "measured") {
        progress.line(`trial ${event.number + 1}: ${sweep.metric} ${event.measured.value.toFixed(2)} after step ${event.measured.step}`);
        if (output.json) output.result(event, () => "");
      }
      if (event.type === "interrupted") {
        process.exitCode = exitCodes.interrupted;
        progress.line(`Everything so far is in ${sweep.out}. The same command goes on.`);
      }
      if (event.type === "done") {
        progress.close();
        output.result({ type: "done", ...event.result }, () => summary(event.result, Object.keys(sweep.parameters)));
      }
    }
  } finally {
    progress.close();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

function summary({ folder, metric, seconds, trials, ranking, best, recipe, model }: SweepResult, names: readonly string[]): string {
  if (best === undefined || recipe === undefined)
    return `No trial was measured in ${formatDuration(seconds)}: give it more time with --budget.`;
  const rows = ranking.map((number) => {
    const trial = trials.find((one) => one.number === number)!;
    const last = trial.measured.at(-1);
    return [
      `${number + 1}${number === best ? " *" : ""}`,
      ...names.map((name) => String(trial.parameters[name])),
      last ? percent(last.step / last.total_steps) : "",
      last ? last.value.toFixed(2) : "",
      trial.status === "waiting" ? "not gone on with" : trial.status.replaceAll("_", " "),
    ];
  });
  return [
    "",
    columns(["trial", ...names, "trained", metric, ""], rows),
    "",
    `${trials.length} trials in ${formatDuration(seconds)}; figures and chart: ${join(folder, "sweep.json")}, ${join(folder, "sweep.svg")}`,
    ...(model === undefined ? [] : [`The model of trial ${best + 1}: ${model}`]),
    `To train the best settings as the recipe says: npx lectern train ${shellWord(recipe)}`,
  ].join("\n");
}

function shown(parameters: Trial["parameters"]): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

/** "10m", "90s", "1h", or a number of minutes. */
function minutes(text: string): number {
  const [, number, unit = "m"] = /^(\d+(?:\.\d+)?)\s*([smh])?$/i.exec(text.trim()) ?? [];
  if (number === undefined || Number(number) === 0) throw new InvalidArgumentError("It must be a time such as 10m, 90s or 1h.");
  return Number(number) * { s: 1 / 60, m: 1, h: 60 }[unit.toLowerCase() as "s" | "m" | "h"];
}
