/** A model folder as trainings and exports leave it, small, with everything beside the model that is not for others. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { writeSafetensors } from "../src/checkpoint/safetensors.js";

/** What of it is published, in the order in which it is listed. */
export const publishedPaths = [
  "README.md",
  "config.json",
  "model.safetensors",
  "tokenizer.json",
  "tokenizer_config.json",
  "onnx/model.onnx",
  "all_results.json",
  "recipe.yaml",
];

const card = `---
license: mit
base_model: /home/ada/models/bert
datasets:
  - /home/ada/data/train.json
  - rajpurkar/squad
---

# mine

Trained on \`/home/ada/data/train.json\`, \`C:\\data\\more.json\` and \`data/dev.json\`.
`;

const files: Record<string, string> = {
  "README.md": card,
  "config.json": '{\n  "model_type": "bert",\n  "_name_or_path": "/home/ada/models/bert",\n  "layer_norm_eps": 1.0\n}\n',
  "tokenizer.json": '{"model": {"vocab": {"/": 1, "/usr/bin": 2}}}\n',
  "tokenizer_config.json": "{}\n",
  "onnx/model.onnx": "a small graph",
  "all_results.json": '{\n  "f1": 80.5\n}\n',
  "recipe.yaml": "model: tiny\ntrain_files:\n  - /home/ada/data/train.json\noutput_dir: /home/ada/runs/mine\n",
  "optimizer.safetensors": "no",
  "optimizer.json": "no",
  "checkpoint-10/model.safetensors": "no",
  ".lectern-lock": "no",
  ".env": "no",
  "train.log": "no",
  "events.out.tfevents.1": "no",
  "training_args.bin": "no",
  "pytorch_model.bin": "no",
  "notes.json": "no",
};

/** @param values numbers in the weights, of four bytes each */
export async function writePublishedFolder(folder: string, values = 60_000): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  const data = Float32Array.from({ length: values }, (_, i) => Math.sin(i));
  await writeSafetensors(path.join(folder, "model.safetensors"), [{ name: "table", dtype: "F32", shape: [values], data }]);
}
