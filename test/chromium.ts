/**
 * A real Chromium for tests of pages. Found by LECTERN_CHROMIUM (a path, or "none"), else under its usual names in PATH; tests that need it are skipped
 * where there is none: `test.skipIf(!chromium)("… (needs Chromium)", …)`.
 */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { type Browser, chromium as playwright } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of the browser; undefined for none. */
export const chromium: string | undefined = find();

function find(): string | undefined {
  const named = process.env.LECTERN_CHROMIUM;
  if (named === "none") return undefined;
  if (named !== undefined && named !== "") return named;
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const extension = process.platform === "win32" ? ".exe" : "";
  return folders.flatMap((folder) => names.map((name) => path.join(folder, name + extension))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts it without a window. The caller closes it. */
export function launchChromium(): Promise<Browser> {
  return playwright.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"] });
}
