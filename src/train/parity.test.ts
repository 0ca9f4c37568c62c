/** Every committed case, in every residual policy, against PyTorch's figures. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compareParity, computeParity } from "./parity.js";

const root = join(import.meta.dirname, "../../test/parity-cases");
const cases = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());

describe.each(cases.map(({ name }) => name))("%s", (name) => {
  const folder = join(root, name);
  test.each(["keep", "recompute", "checkpoint"] as const)("agrees with PyTorch, residuals: %s", async (residuals) => {
    const lines = await compareParity(folder, await computeParity(folder, { residuals }));
    expect(lines.map(({ figure }) => figure).sort()).toEqual(["gradient norms", "gradients", "logits", "loss", "training losses"]);
    for (const { figure, error, where, tolerance } of lines) expect(error, `${figure} at ${where}`).toBeLessThanOrEqual(tolerance);
  });

  test("the config in transformers 4's spelling gives the same numbers", async () => {
    const [now, legacy] = [await computeParity(folder), await computeParity(folder, { config: "config.legacy.json" })];
    expect(legacy.tensors.map(({ data }) => data)).toEqual(now.tensors.map(({ data }) => data));
  });
});
