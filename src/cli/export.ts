/** `lectern export --model M --to DIR`: a trained reader as ONNX files or safetensors, proved against the original. */
import { type Command, Option } from "commander";
import { type ProofOptions, runExport, withProofOptions } from "./export-options.js";
import { withExamples } from "./help.js";

interface ExportVerbOptions extends ProofOptions {
  format: "onnx" | "safetensors";
  dtype: "fp32" | "fp16";
}

export function registerExport(program: Command): void {
  const command = withProofOptions(
    program.command("export").description("write a trained reader for other programs, and prove that it answers the same"),
  )
    .addOption(
      new Option("--format <format>", "onnx: for transformers.js and ONNX Runtime; safetensors: for transformers")
        .choices(["onnx", "safetensors"])
        .default("onnx"),
    )
    .addOption(new Option("--dtype <type>", "the type of the weights").choices(["fp32", "fp16"]).default("fp32"))
    .action((options: ExportVerbOptions) => runExport(options, { format: options.format, types: [options.dtype] }));
  withExamples(command, [
    { line: "lectern export --model runs/quickstart --to exported", does: "onnx/model.onnx with config.json and tokenizer" },
    {
      line: "lectern export --model runs/quickstart --to half --dtype fp16 --data starter/squad/dev.json",
      does: "half the size; EM and F1 before and after",
    },
  ]);
}
