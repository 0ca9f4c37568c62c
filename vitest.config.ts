import { defineConfig } from "vitest/config";

// Two tiers: `fast` is every *.test.ts beside the source; `full` is the slow proofs, *.full.ts.
export default defineConfig({
  test: {
    testTimeout: 60_000,
    pool: "forks",
    projects: [
      { extends: true, test: { name: "fast", include: ["{src,test,bench}/**/*.test.ts"] } },
      { extends: true, test: { name: "full", include: ["{src,test,bench}/**/*.full.ts"], testTimeout: 900_000, fileParallelism: false } },
    ],
  },
});
