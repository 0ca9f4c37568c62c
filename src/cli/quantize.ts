/** `lectern quantize --model M --to DIR`: a trained reader as an ONNX file with 8-bit weights, proved against the original. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExportedType } from "../export/export-reader.js";
import { type ProofOptions, runExport, withProofOptions } from "./export-options.js";
import { wholeNumber, withExamples } from "./help.js";

interface QuantizeOptions extends ProofOptions {
  mode: "dynamic" | "static";
  calibrate?: string[];
  calibrationSamples: number;
  cutOff: number;
  also?: ("fp32" | "fp16")[];
}

export function registerQuantize(program: Command): void {
  const command = withProofOptions(
    program.command("quantize").description("write a trained reader with 8-bit weights, and prove that it answers as well"),
  )
    .addOption(
      new Option("--mode <mode>", "scales of activations from each input, or fixed by calibration")
        .choices(["dynamic", "static"])
        .default("dynamic"),
    )
    .option("--calibrate <files...>", "questions to calibrate on (--mode static)")
    .option("--calibration-samples <n>", "use only the first so many questions of --calibrate", wholeNumber(1), 100)
    .option("--cut-off <share>", "share of the activations that calibration cuts off at either end; 0 keeps the whole range", share, 0)
    .addOption(new Option("--also <types...>", "write these beside it").choices(["fp32", "fp16"]))
    .action((options: QuantizeOptions) => {
      const types: ExportedType[] = [...new Set<ExportedType>([...(options.also ?? []), "int8"])];
      const { mode, calibrate, calibrationSamples, cutOff } = options;
      return runExport(options, { format: "onnx", types, mode, calibrate, calibrationSamples, cutOff });
    });
  withExamples(command, [
    {
      line: "lectern quantize --model runs/quickstart --to small --data starter/squad/dev.json",
      does: "onnx/model_quantized.onnx; EM and F1 before and after",
    },
    { line: "lectern quantize --model runs/quickstart --to small --also fp32", does: "with onnx/model.onnx beside it" },
    {
      line: "lectern quantize --model runs/quickstart --to small --mode static --calibrate starter/squad/train.json",
      does: "fixed scales",
    },
  ]);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 0.5)) throw new InvalidArgumentError("It must be a number from 0 to below 0.5.");
  return value;
}
