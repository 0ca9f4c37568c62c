/**
 * Whether a run that goes on has the data that its checkpoint was saved with: data.json, which every checkpoint holds, has a hash over the
 * questions of each side. Paths and names may be the same while what they stand for has changed, above all where rows come from a program.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type DataIdentity, dataIdentitySchema } from "../data/data-identity.js";
import { dataFileName } from "../evaluate/baseline-figures.js";

/** The questions of a run's two sides. */
export type RunData = Record<"train" | "evaluation", DataIdentity>;

const sides = { train: "training", evaluation: "evaluation" } as const;
const savedData = z.object({ train: dataIdentitySchema, evaluation: dataIdentitySchema });

/**
 * What to tell of data that are no longer those of a checkpoint, a sentence a side. Nothing where it has no such file, or one that is of
 * another form.
 * @example
 * await dataChanges("runs/mine/checkpoint-500", data); // ["the training data were 24 questions of a.json …"]
 */
export async function dataChanges(folder: string, data: RunData): Promise<string[]> {
  const saved = savedData.safeParse(await readJson(join(folder, dataFileName))).data;
  if (saved === undefined) return [];
  return (["train", "evaluation"] as const).flatMap((side) => {
    if (saved[side].sha256 === data[side].sha256) return [];
    const what = `the ${sides[side]} data were ${described(saved[side])} when the checkpoint was saved and are ${described(data[side])} now`;
    return `${what}, not the same ones: the result is not that of either run alone`;
  });
}

function described({ questions, files }: DataIdentity): string {
  return `${questions.toLocaleString("en")} questions${files.length > 0 ? ` of ${files.join(", ")}` : ""}`;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}
