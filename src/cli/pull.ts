/** `lectern pull`: a model or a data set from the Hugging Face Hub into the local cache. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { downloadModel } from "../checkpoint/hub.js";
import type { DownloadProgress } from "../checkpoint/hub-download.js";
import { bringHubSplits, isHubSource } from "../data/hub-data-sets.js";
import { transferProgress } from "./transfer-progress.js";

export function registerPull(program: Command): void {
  program
    .command("pull")
    .description("download a model or a data set from the Hugging Face Hub into the cache that Python uses too (HF_HOME)")
    .argument(
      "<name>",
      "a model as ORGANISATION/NAME or ORGANISATION/NAME@REVISION (a branch, tag or commit); a data set as hub:ORGANISATION/NAME[@REVISION][:CONFIGURATION][:SPLIT]",
    )
    .option("--json", "print the result as JSON")
    .action(async (model: string, options: { json?: boolean }) => {
      if (isHubSource(model)) return pullDataSet(model, options.json ?? false);
      const folder = await downloadModel(model, { onProgress: printProgress(process.stderr) });
      if (!options.json) {
        console.log(folder);
        return;
      }
      const names = (await readdir(folder)).sort();
      const files = await Promise.all(names.map(async (name) => ({ name, bytes: (await stat(path.join(folder, name))).size })));
      console.log(JSON.stringify({ model, commit: path.basename(folder), folder, files }));
    });
}

async function pullDataSet(source: string, asJson: boolean): Promise<void> {
  const splits = await bringHubSplits(source, { onProgress: printProgress(process.stderr) });
  if (asJson) console.log(JSON.stringify(splits));
  else for (const file of splits.flatMap(({ files }) => files)) console.log(file);
}

function printProgress(stream: NodeJS.WriteStream): DownloadProgress {
  const show = transferProgress(stream);
  return ({ file, received, total }) => show({ file, bytes: received, total });
}
