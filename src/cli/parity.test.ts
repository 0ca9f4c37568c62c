import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runVerb } from "../../test/verbs.js";
import { openSafetensors } from "../checkpoint/safetensors.js";
import { registerParity } from "./parity.js";

const bert = join(import.meta.dirname, "../../test/parity-cases/bert");
let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-parity-"))));
afterAll(() => rm(folder, { recursive: true }));
const parity = (...words: string[]) => runVerb(registerParity, "parity", ...words);

describe("lectern parity", () => {
  test("--check compares with PyTorch's figures", async () => {
    const { exitCode, stdout } = await parity(bert, "--check");
    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(5);
    expect(stdout).not.toContain("OVER");
    const lines = JSON.parse((await parity(bert, "--check", "--json")).stdout) as { figure: string; error: number; tolerance: number }[];
    for (const { error, tolerance } of lines) expect(error).toBeLessThan(tolerance);
  });

  test("writes the figures under the names of the expected ones", async () => {
    const [out, train] = [join(folder, "ours.safetensors"), join(folder, "ours.json")];
    expect(await parity(bert, "--out", out, "--train", train)).toMatchObject({ exitCode: 0, stdout: "" });
    const [ours, expected] = [openSafetensors(out), openSafetensors(join(bert, "expected.safetensors"))];
    expect(ours.names().sort()).toEqual(expected.names().sort());
    for (const name of expected.names()) expect(ours.info(name), name).toEqual(expected.info(name));
    ours.close();
    expected.close();
    const written = JSON.parse(await readFile(train, "utf8")) as Record<string, unknown>;
    expect(written).toMatchObject({
      loss: expect.any(Array) as unknown,
      grad_norm: expect.any(Array) as unknown,
      loss_after: expect.any(Number) as unknown,
    });
  });

  test("ends with exit code 1 where a figure is over its tolerance, and says which", async () => {
    const other = join(folder, "other weights");
    await cp(bert, other, { recursive: true });
    const config = JSON.parse(await readFile(join(other, "config.json"), "utf8")) as Record<string, unknown>;
    await writeFile(join(other, "config.json"), JSON.stringify({ ...config, layer_norm_eps: 1e-3 }));
    const { exitCode, stdout } = await parity(other, "--check");
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^logits .* OVER /m);
  });

  test.each([
    ["nothing to do", [bert], /ARGUMENT_MISSING/],
    ["a folder that is not there", [join(bert, "none"), "--check"], /FILE_MISSING/],
    ["a folder that is no case", [join(import.meta.dirname, "../../starter/minilm-l6"), "--check"], /There is no .*inputs\.json/],
  ])("refuses %s", async (_, words, message) => {
    const { exitCode, stderr } = await parity(...words);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
  });

  test("refuses inputs that do not fit together, and training figures of a case without any", async () => {
    const broken = join(folder, "broken");
    await cp(bert, broken, { recursive: true });
    await rm(join(broken, "train.json"));
    expect((await parity(broken, "--train", join(folder, "never.json"))).stderr).toMatch(/PARITY_CASE_INVALID[^]*not a training case/);
    await writeFile(
      join(broken, "inputs.json"),
      JSON.stringify({ input_ids: [[1, 2, 3]], attention_mask: [[1, 1]], start_positions: [0], end_positions: [0] }),
    );
    expect((await parity(broken, "--check")).stderr).toMatch(/attention_mask of 1 × 3[^]*2 numbers/);
    await writeFile(join(broken, "inputs.json"), "{}");
    expect((await parity(broken, "--check")).stderr).toMatch(/PARITY_CASE_INVALID/);
  });
});
