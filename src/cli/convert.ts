/** `lectern convert`: a model folder with its weights as safetensors, in another float type where that is asked for. */
import { type Command, Option } from "commander";
import { convertModelFolder, conversionDtypes, type ConversionDtype } from "../checkpoint/convert.js";
import { resolveModel } from "../checkpoint/hub.js";

export function registerConvert(program: Command): void {
  program
    .command("convert")
    .description("rewrite a model folder with its weights as safetensors, in any float type")
    .requiredOption("--model <model>", "a model folder, or ORGANISATION/NAME[@REVISION] on the Hugging Face Hub")
    .requiredOption("--to <folder>", "the folder to write; it must not exist yet")
    .addOption(new Option("--dtype <type>", "the type of the weights").choices(conversionDtypes).makeOptionMandatory())
    .option("--json", "print the result as JSON")
    .action(async (options: { model: string; to: string; dtype: ConversionDtype; json?: boolean }) => {
      const report = await convertModelFolder(await resolveModel(options.model), options.to, { dtype: options.dtype });
      if (options.json) console.log(JSON.stringify({ folder: options.to, dtype: options.dtype, ...report }));
      else {
        const size = (report.bytes / 1e6).toFixed(1);
        console.log(`${options.to}: ${report.converted} of ${report.tensors} tensors converted to ${options.dtype}, ${size} MB`);
        console.log(`largest difference of a weight: ${report.maxAbsoluteDifference.toExponential(2)}`);
      }
    });
}
