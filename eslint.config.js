import tseslint from "typescript-eslint";

/** The house, top to bottom: a folder may import itself and what stands below it. */
const layers = ["cli", "serve", "train", "export", "evaluate", "generate", "tasks", "data", "models", "nn", "checkpoint", "text", "engine", "files"];

const importsPointDownwards = layers.map((layer, index) => ({
  files: [`src/${layer}/**/*.ts`],
  ignores: ["**/*.test.ts", "**/*.full.ts"],
  rules: {
    "no-restricted-imports": ["error", {
      patterns: layers.slice(0, index).map((above) => ({
        group: [`**/${above}/**`],
        message: `src/${layer} lies below src/${above}: imports point only downwards.`,
      })),
    }],
  },
}));

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "runs/", "reference/"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", ignoreRestSiblings: true }],
    },
  },
  ...importsPointDownwards.filter((config) => config.rules["no-restricted-imports"][1].patterns.length > 0),
);
