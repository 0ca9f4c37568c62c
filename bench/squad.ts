/**
 * Fine-tuning a reader on SQuAD 1.1, side by side with the Hugging Face Trainer: MiniLM, batch 16, windows of 384 tokens, one epoch at
 * rate 1e-4, the same samples on both sides, never two at once. Ours trains once; the peer three times, in the modes that bench/peer.ts
 * names. A quick run takes the first questions only, still as a whole epoch, because the peer's length-grouped order starts with the longest.
 */
import { dirname, join, relative } from "node:path";
import type { RecipeInput } from "../src/train/recipe.js";
import { trainOurs, type OurFigures } from "./ours.js";
import { findPeer, peerFolder, peerModes, trainPeer, type Peer, type PeerFigures, type PeerMode } from "./peer.js";
import { fastestProduct, measureProducts, operationsPerToken, type Products } from "./products.js";

const batchSize = 16;
const learningRate = 1e-4;
const seed = 42;
/** Steps of the padded mode, whose cost per sample does not depend on the sample. */
const seedSteps = 14;
/** Ratios of samples/s that are to be reached on 2 cores. */
const targets: Record<PeerMode, number> = { seed: 5, dynamic: 2, dynamic_accumulate_4: 1.6 };

export interface SquadOptions {
  /** Root of the project: where dist/ and runs/ are. */
  root: string;
  /** The first `steps` × 16 questions instead of all. */
  steps?: number;
  /** Train one side only. */
  side?: "ours" | "peer";
  /** Train the peer in this mode only; in all by default. */
  mode?: PeerMode;
  evaluate: boolean;
  /** Seconds that each product is tried, before and after. */
  productSeconds: number;
}

export interface SquadResult {
  settings: Record<string, unknown>;
  peer_versions?: Record<string, string>;
  ours?: OurFigures;
  peers: Partial<Record<PeerMode, PeerFigures>>;
  /** Ours divided by the peer's; for F1 ours minus the peer's. */
  ratios: Partial<Record<PeerMode, { samples_per_second: number; target: number; peak_memory?: number; f1_difference?: number }>>;
  /** Matrix products alone, in GFLOP/s, before and after the trainings. */
  products: { before: Products; after: Products };
  /** GFLOP/s of the linear layers over the tokens alone, padding not counted, and their share of the fastest product. */
  of_the_machine: Partial<Record<"ours" | PeerMode, { gflops: number; share: number }>>;
}

/** The recipe of our side; the peer's settings are the same, by its own names and defaults. */
export function squadRecipe(shared: string, options: { questions?: number; evaluate: boolean }): Omit<RecipeInput, "output_dir"> {
  return {
    model: join(shared, "models", "minilm-l6"),
    train_files: [join(shared, "data", "squad-v1.1-train.json")],
    ...(options.evaluate && { eval_files: [join(shared, "data", "squad-v1.1-dev.json")] }),
    ...(options.questions !== undefined && { max_train_samples: options.questions }),
    max_length: 384,
    stride: 128,
    per_device_train_batch_size: batchSize,
    per_device_eval_batch_size: 32,
    num_train_epochs: 1,
    learning_rate: learningRate,
    weight_decay: 0.01,
    seed,
    evaluate_before_training: false,
    logging_steps: 20,
    save_strategy: "no",
    report_to: [],
  };
}

/** Trains the sides that were asked for, one after the other, and compares them. */
export async function benchSquad(options: SquadOptions): Promise<SquadResult> {
  const questions = options.steps === undefined ? undefined : options.steps * batchSize;
  const peer = options.side === "ours" ? undefined : findPeer(options.root);
  const shared = dirname(peerFolder(options.root));
  const recipe = squadRecipe(shared, { questions, evaluate: options.evaluate });
  const program = join(options.root, "dist", "cli", "main.js");
  const before = await measureProducts(peer?.python, options.productSeconds);
  const ours = options.side === "peer" ? undefined : await trainOurs(program, join(options.root, "runs", "bench-squad"), recipe);
  const peers = peer === undefined ? {} : await trainPeers(peer, options, questions);
  const products = { before, after: await measureProducts(peer?.python, options.productSeconds) };
  return {
    // As they are from the project's root: a result says nothing of the machine's folders.
    settings: { ...squadRecipe(relative(options.root, shared), { questions, evaluate: options.evaluate }), questions: questions ?? "all" },
    ...(peer && { peer_versions: peer.versions }),
    ...(ours && { ours }),
    peers,
    ratios: ours === undefined ? {} : compare(ours, peers),
    products,
    of_the_machine: ours === undefined ? {} : nearness(ours, peers, operationsPerToken(recipe.model!), products),
  };
}

async function trainPeers(
  peer: Peer,
  options: SquadOptions,
  questions: number | undefined,
): Promise<Partial<Record<PeerMode, PeerFigures>>> {
  const figures: Partial<Record<PeerMode, PeerFigures>> = {};
  const modes = options.mode === undefined ? (Object.keys(peerModes) as PeerMode[]) : [options.mode];
  for (const mode of modes) {
    figures[mode] = await trainPeer(peer, {
      mode,
      batchSize,
      learningRate,
      seed,
      epochs: 1,
      steps: mode === "seed" ? Math.min(seedSteps, options.steps ?? seedSteps) : undefined,
      questions,
      evaluate: options.evaluate && mode !== "seed",
    });
  }
  return figures;
}

/** How near each side's training came to the fastest product of the machine. Both train on the same samples, so on as many tokens each. */
export function nearness(ours: OurFigures, peers: SquadResult["peers"], operations: number, products: SquadResult["products"]): SquadResult["of_the_machine"] {
  const fastest = Math.max(...Object.values(products).map(fastestProduct));
  const tokensPerSample = ours.tokens / ours.samples;
  const figures = Object.entries({ ours, ...peers }).map(([side, { samples_per_second: rate }]) => {
    const gflops = (rate * tokensPerSample * operations) / 1e9;
    return [side, { gflops, share: gflops / fastest }];
  });
  return Object.fromEntries(figures) as SquadResult["of_the_machine"];
}

/** Ratios of our figures to each of the peer's. */
export function compare(ours: OurFigures, peers: SquadResult["peers"]): SquadResult["ratios"] {
  const ratios: SquadResult["ratios"] = {};
  for (const [mode, theirs] of Object.entries(peers) as [PeerMode, PeerFigures][]) {
    ratios[mode] = {
      samples_per_second: ours.samples_per_second / theirs.samples_per_second,
      target: targets[mode],
      ...(ours.peak_memory_mb !== undefined && { peak_memory: ours.peak_memory_mb / theirs.peak_memory_mb }),
      ...(ours.f1 !== undefined && theirs.f1 !== undefined && { f1_difference: ours.f1 - theirs.f1 }),
    };
  }
  return ratios;
}
