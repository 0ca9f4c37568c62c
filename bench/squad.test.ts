import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { recipeSchema } from "../src/train/recipe.js";
import { runMeasured } from "./process.js";
import { benchSquad, squadRecipe } from "./squad.js";

/** Stands in for `lectern train`: notes its call, writes the results that a training leaves. */
const trainer = `
const fs = require("fs"), path = require("path");
const [verb, recipeFile, json] = process.argv.slice(2);
const recipe = JSON.parse(fs.readFileSync(recipeFile, "utf8"));
fs.mkdirSync(recipe.output_dir, { recursive: true });
fs.appendFileSync(path.join(path.dirname(__filename), "calls"), verb + " " + json + "\\n");
fs.writeFileSync(path.join(recipe.output_dir, "trainer_state.json"), JSON.stringify({ num_input_tokens_seen: 24000 }));
const results = { train_samples_per_second: 8, train_runtime: 30, train_samples: 240, ...(recipe.eval_files && { exact: 40, f1: 54, eval_loss: 2 }) };
fs.writeFileSync(path.join(recipe.output_dir, "all_results.json"), JSON.stringify(results));
console.log(JSON.stringify({ resources: { threads: 2 } }));
`;

/** A model's config.json, as far as the count of operations reads it: 6 · 1 · (4 · 10² + 2 · 10 · 30) = 6000 a token. */
const config = JSON.stringify({ hidden_size: 10, intermediate_size: 30, num_hidden_layers: 1 });

/** Stands in for squad_train.py, in JavaScript: prints what it prints, Python's dictionaries included. */
const peer = `
const fs = require("fs"), path = require("path"), args = process.argv.slice(2);
fs.appendFileSync(path.join(path.dirname(__filename), "calls"), args.join(" ") + "\\n");
console.log("features 250 prep s 0.1 mean len 150.2\\n{'train_runtime': '50.0'}");
const steps = args.includes("--steps") ? Number(args[args.indexOf("--steps") + 1]) : 16;
console.log(JSON.stringify({ mode: args[1], steps, samples_per_s_median: 1.6, samples_per_s_mean: 5.1, total: 50, peak_rss_gb: 2 }));
if (args.includes("--eval")) console.log(JSON.stringify({ eval_features: 3, EM: 39, F1: 53 }));
`;

/** Stands in for the peer's Python: answers the questions for versions and for products, and has Node run the "script". */
const python = `#!/bin/sh
if [ "$#" = 3 ]; then echo '{"attention":40,"linear":99990,"large":90000}'; elif [ "$1" = "-c" ]; then echo '{"python":"3.11.7","torch":"2.13.0+cpu"}'; else exec "${process.execPath}" "$@"; fi
`;

let root: string;

function place(file: string, text: string): string {
  const path = join(root, file);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lectern-bench-"));
  place("dist/cli/main.js", trainer);
  place("peers/squad_train.py", peer);
  place("models/minilm-l6/config.json", config);
  vi.stubEnv("LECTERN_PEER_PYTHON", place("python", python));
  vi.stubEnv("LECTERN_PEER_DIR", "peers");
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

describe("bench squad", () => {
  test("trains ours once and the peer in its three modes, and compares", async () => {
    const result = await benchSquad({ root, evaluate: true, productSeconds: 0.001 });
    expect(readFileSync(join(root, "dist/cli/calls"), "utf8")).toBe("train --json\n");
    expect(readFileSync(join(root, "peers/calls"), "utf8").trim().split("\n")).toEqual([
      "--mode seed --bs 16 --lr 0.0001 --seed 42 --steps 14",
      "--mode dynamic --bs 16 --lr 0.0001 --seed 42 --epochs 1 --eval",
      "--mode dynamic --accumulate 4 --bs 16 --lr 0.0001 --seed 42 --epochs 1 --eval",
    ]);
    expect(result.peer_versions).toEqual({ python: "3.11.7", torch: "2.13.0+cpu" });
    expect(result.ours).toMatchObject({ samples: 240, seconds: 30, samples_per_second: 8, f1: 54, resources: { threads: 2 } });
    expect(result.peers.seed).toMatchObject({
      samples: 224,
      samples_per_second: 1.6,
      samples_per_second_is: "median step",
      peak_memory_mb: 2048,
    });
    expect(result.peers.dynamic).toMatchObject({
      samples: 250,
      samples_per_second: 5.1,
      samples_per_second_is: "mean step",
      samples_per_second_whole_run: 5,
      exact: 39,
      f1: 53,
    });
    expect(result.ratios.seed).toMatchObject({ samples_per_second: 5, target: 5 });
    expect(result.products.after).toMatchObject({ ours: { linear: expect.any(Number) as number }, peer: { attention: 40, linear: 99990 } });
    // 8 samples of 100 tokens a second, 6000 operations each: the fastest product is the pretended one.
    expect(result.of_the_machine.ours).toEqual({ gflops: 0.0048, share: 0.0048 / 99990 });
    expect(result.of_the_machine.dynamic?.gflops).toBeCloseTo(0.0048 * (5.1 / 8), 9);
    expect(result.ratios.dynamic_accumulate_4).toMatchObject({ samples_per_second: 8 / 5.1, target: 1.6, f1_difference: 1 });
  });

  test("a quick run takes the first questions on both sides", async () => {
    const result = await benchSquad({ root, steps: 5, evaluate: false, productSeconds: 0.001 });
    expect(result.settings).toMatchObject({ questions: 80, max_train_samples: 80 });
    const calls = readFileSync(join(root, "peers/calls"), "utf8").trim().split("\n");
    expect(calls[0]).toBe("--mode seed --bs 16 --lr 0.0001 --seed 42 --steps 5 --limit 80");
    expect(calls[1]).toBe("--mode dynamic --bs 16 --lr 0.0001 --seed 42 --epochs 1 --limit 80");
    expect(result.ours?.f1).toBeUndefined();
  });

  test("one side alone needs nothing of the other and gives no ratios", async () => {
    vi.stubEnv("LECTERN_PEER_PYTHON", undefined);
    expect(await benchSquad({ root, side: "ours", evaluate: false, productSeconds: 0.001 })).toMatchObject({ peers: {}, ratios: {} });
    vi.stubEnv("LECTERN_PEER_PYTHON", join(root, "python"));
    rmSync(join(root, "dist"), { recursive: true });
    const { ours, ratios } = await benchSquad({ root, side: "peer", steps: 3, evaluate: false, productSeconds: 0.001 });
    expect([ours, ratios]).toEqual([undefined, {}]);
  });

  test("says before it trains anything that the peer is not set up", async () => {
    vi.stubEnv("LECTERN_PEER_PYTHON", undefined);
    await expect(benchSquad({ root, evaluate: false, productSeconds: 0.001 })).rejects.toMatchObject({ code: "BENCH_PEER_MISSING" });
    vi.stubEnv("LECTERN_PEER_PYTHON", join(root, "no-such-python"));
    await expect(benchSquad({ root, evaluate: false, productSeconds: 0.001 })).rejects.toMatchObject({ code: "BENCH_PEER_MISSING" });
    expect(existsSync(join(root, "dist/cli/calls"))).toBe(false);
  });

  test("stops when a side fails or prints no figures", async () => {
    place("peers/squad_train.py", "console.log('features 250')");
    await expect(benchSquad({ root, side: "peer", evaluate: false, productSeconds: 0.001 })).rejects.toMatchObject({ code: "BENCH_PROCESS_FAILED" });
    place("dist/cli/main.js", "process.exit(3)");
    await expect(benchSquad({ root, side: "ours", evaluate: false, productSeconds: 0.001 })).rejects.toMatchObject({
      code: "BENCH_PROCESS_FAILED",
      detail: { received: "3" },
    });
  });

  test("our recipe is one that lectern train accepts", () => {
    recipeSchema.parse(squadRecipe("/folder", { questions: 10, evaluate: true }));
  });
});

test.skipIf(process.platform !== "linux")("peak memory of a program is what it touched (needs Linux's /proc)", async () => {
  const touch = (megabytes: number): string[] => ["-e", `Buffer.alloc(${megabytes} * 1e6, 1); setTimeout(() => {}, 200)`];
  const [small, large] = [
    await runMeasured(process.execPath, touch(1), { directory: root }),
    await runMeasured(process.execPath, touch(301), { directory: root }),
  ];
  expect((large.peakMemory! - small.peakMemory!) / 1e6).toBeGreaterThan(270);
  expect((large.peakMemory! - small.peakMemory!) / 1e6).toBeLessThan(330);
});
