/**
 * The other side of the comparison: the Hugging Face Trainer on the same data, through ../shared/peers/squad_train.py. Which Python
 * runs it, and where it stands, come from the environment (LECTERN_PEER_PYTHON, LECTERN_PEER_DIR; see bench/README.md).
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LecternError } from "../src/errors.js";
import { jsonObjects, runMeasured, type MeasuredRun } from "./process.js";

/** How the peer trains: as published recipes do, padded to the batch, or the best that can be made of it. */
export const peerModes = {
  seed: ["--mode", "seed"],
  dynamic: ["--mode", "dynamic"],
  dynamic_accumulate_4: ["--mode", "dynamic", "--accumulate", "4"],
} as const;
export type PeerMode = keyof typeof peerModes;

/** Folder of the peer's programs; ../data and ../models beside it are what both sides train on. */
export function peerFolder(root: string): string {
  return resolve(root, process.env.LECTERN_PEER_DIR ?? "../shared/peers");
}

export interface Peer {
  python: string;
  script: string;
  /** Versions of Python and its packages, by name. */
  versions: Record<string, string>;
}

export interface PeerFigures {
  /** Windows trained on. */
  samples: number;
  steps: number;
  /** Seconds of the whole training call. */
  seconds: number;
  samples_per_second: number;
  /** What `samples_per_second` is: of some steps the median, of a whole epoch the mean; the first two steps are left out. */
  samples_per_second_is: "median step" | "mean step";
  /** With the start-up and the first two steps, which take the peer some 15 s more than later ones. */
  samples_per_second_whole_run: number;
  /** Up to the end of training, without the evaluation after it. */
  peak_memory_mb: number;
  whole_process_peak_memory_mb?: number;
  exact?: number;
  f1?: number;
}

/** Finds the peer and its versions. Throws BENCH_PEER_MISSING when no Python is named, it lacks a package, or the program is not there. */
export function findPeer(root: string, { program = "squad_train.py", packages = ["torch", "transformers", "accelerate"] } = {}): Peer {
  const python = process.env.LECTERN_PEER_PYTHON;
  const next = "Set LECTERN_PEER_PYTHON as bench/README.md shows, or run with --ours-only.";
  if (!python)
    throw new LecternError("BENCH_PEER_MISSING", { message: "LECTERN_PEER_PYTHON does not name a Python to run the peer with.", next });
  const script = resolve(peerFolder(root), program);
  if (!existsSync(script)) {
    throw new LecternError("BENCH_PEER_MISSING", {
      message: `There is no ${script}.`,
      next: "Set LECTERN_PEER_DIR to its folder, or run with --ours-only.",
    });
  }
  const question =
    "import json,platform;from importlib.metadata import version as v;" +
    "print(json.dumps(dict(python=platform.python_version(),**{p:v(p) for p in " +
    `${JSON.stringify(packages)}})))`;
  try {
    const answer = execFileSync(python, ["-c", question], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return { python, script, versions: JSON.parse(answer) as Record<string, string> };
  } catch (error) {
    const received = (error as Error).message.trim().split("\n").at(-1);
    throw new LecternError("BENCH_PEER_MISSING", {
      message: `${python} is not a Python with ${packages.join(", ")}.`,
      received,
      next,
    });
  }
}

/** What to train on: a number of steps (speed only), or whole epochs of the first `questions` questions. */
export interface PeerOptions {
  mode: PeerMode;
  batchSize: number;
  learningRate: number;
  seed: number;
  epochs: number;
  /** Stop after so many steps; without it the epochs are trained to their end. */
  steps?: number;
  questions?: number;
  evaluate: boolean;
}

/** Trains the peer once. Throws BENCH_PROCESS_FAILED when it fails or does not print its figures. */
export async function trainPeer(peer: Peer, options: PeerOptions): Promise<PeerFigures> {
  const args = [peer.script, ...peerModes[options.mode]];
  args.push("--bs", String(options.batchSize), "--lr", String(options.learningRate), "--seed", String(options.seed));
  args.push(...(options.steps === undefined ? ["--epochs", String(options.epochs)] : ["--steps", String(options.steps)]));
  if (options.questions !== undefined) args.push("--limit", String(options.questions));
  if (options.evaluate) args.push("--eval");
  return peerFigures(await runMeasured(peer.python, args, { directory: dirname(peer.script) }), options);
}

/** Reads the peer's figures off what it printed: `features N …`, a JSON line on training and, if it evaluated, one on that. */
export function peerFigures(run: MeasuredRun, options: PeerOptions): PeerFigures {
  const printed = jsonObjects(run.lines);
  const training = printed.find((object) => "samples_per_s_median" in object) as Record<string, number> | undefined;
  const evaluation = printed.find((object) => "F1" in object) as Record<string, number> | undefined;
  const windows = Number(/^features (\d+)/m.exec(run.lines.join("\n"))?.[1]);
  if (!training || !(windows > 0) || (options.evaluate && !evaluation)) {
    throw new LecternError("BENCH_PROCESS_FAILED", {
      message: "The peer ended without printing its figures.",
      expected: "a line `features N`, and a JSON line with samples_per_s_median (and one with F1 when it evaluates)",
      next: "Compare squad_train.py with the one that bench/peer.ts was written for.",
    });
  }
  const wholeEpochs = options.steps === undefined;
  const samples = wholeEpochs ? windows * options.epochs : training.steps * options.batchSize;
  return {
    samples,
    steps: training.steps,
    seconds: training.total,
    samples_per_second: wholeEpochs ? training.samples_per_s_mean : training.samples_per_s_median,
    samples_per_second_is: wholeEpochs ? "mean step" : "median step",
    samples_per_second_whole_run: samples / training.total,
    peak_memory_mb: (training.peak_rss_gb * 1e6 * 1024) / 1e6, // ru_maxrss counts kibibytes, the peer divides them by 1e6
    ...(run.peakMemory !== undefined && { whole_process_peak_memory_mb: run.peakMemory / 1e6 }),
    ...(evaluation && { exact: evaluation.EM, f1: evaluation.F1 }),
  };
}
