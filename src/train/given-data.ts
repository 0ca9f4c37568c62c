/**
 * What a program gives beside its recipe: rows in memory and the model's name. In the recipe, and in what is saved of it, rows stand as
 * `rows:trainData` and `rows:evalData` where files would; the run asks for them there.
 */
import { type Rows, rowsSource } from "../data/given-rows.js";
import type { DataSource } from "../data/examples.js";

export interface GivenData {
  /** What is trained on, in place of train_files. */
  trainData?: Rows;
  /** What is evaluated on, in place of eval_files. */
  evalData?: Rows;
}

/** A setting that an option of a program stands for. */
export interface GivenSetting {
  key: "model" | "train_files" | "eval_files";
  /** The option. */
  by: string;
  value: string;
}

/** The settings that a program gives by options. */
export function givenSettings({ model, trainData, evalData }: GivenData & { model?: string }): GivenSetting[] {
  return [
    ...(model === undefined ? [] : [{ key: "model", by: "model", value: model } as const]),
    ...(trainData === undefined ? [] : [{ key: "train_files", by: "trainData", value: rowsSource("trainData") } as const]),
    ...(evalData === undefined ? [] : [{ key: "eval_files", by: "evalData", value: rowsSource("evalData") } as const]),
  ];
}

/** Sources of a recipe, the rows that are given in place of their names. */
export function givenSources(names: readonly string[], given: GivenData): DataSource[] {
  return names.map((name) => {
    const option = (["trainData", "evalData"] as const).find((one) => name === rowsSource(one));
    const rows = option && given[option];
    return rows === undefined ? name : { name: option, rows };
  });
}
