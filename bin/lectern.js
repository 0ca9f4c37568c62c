#!/usr/bin/env node
/**
 * `lectern`, as npm links it. It stands outside dist/ so that the link is whole in a clone that has not been built yet: npx keeps a link that it
 * made, and would never find a program that came later.
 */
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  console.error("lectern is not built yet.\n  next: npm ci installs what it needs and builds it; npm run build builds it again.");
  process.exitCode = 1;
}
