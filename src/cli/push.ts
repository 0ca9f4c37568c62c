/** `lectern push FOLDER ORG/NAME`: a model folder to the Hugging Face Hub. */
import { type Command, Option } from "commander";
import { planPush, pushModel, type PushPlan, type PushReport } from "../checkpoint/hub-push.js";
import { parsePushName } from "../checkpoint/hub-repository.js";
import { collect, withExamples } from "./help.js";
import { Output } from "./output.js";
import { megabytes, transferProgress } from "./transfer-progress.js";

interface PushOptions {
  public: boolean;
  private: boolean;
  include: string[];
  revision?: string;
  message?: string;
  dryRun: boolean;
  json: boolean;
}

export function registerPush(program: Command): void {
  const command = program
    .command("push")
    .description("upload a model folder to the Hugging Face Hub, into a private repository unless it is told otherwise")
    .argument("<folder>", "what a training, an export or a conversion wrote")
    .argument("<name>", "ORGANISATION/NAME[@BRANCH], or NAME in the account of the token (HF_TOKEN)")
    .addOption(new Option("--public", "make the repository public, where it is made").default(false).conflicts("private"))
    .option("--private", "make it private, as is the default, and send nothing to one that is there and public", false)
    .option("--include <pattern>", "send these files of the folder, too: checkpoint-100/** or the like; may be repeated", collect, [])
    .option("--revision <branch>", "the branch to commit to, made from main where it is not there (default: main)")
    .option("--message <text>", "the message of the commit")
    .option("--dry-run", "list what would go, and how large it is, without asking the hub", false)
    .option("--json", "print the result as JSON", false)
    .action(async (folder: string, name: string, options: PushOptions) => {
      const output = new Output(options.json);
      if (options.dryRun) {
        parsePushName(name, options.revision);
        const plan = await planPush(folder, options);
        output.result(inFigures(plan), () => planText(plan));
        return;
      }
      const show = transferProgress(process.stderr);
      const report = await pushModel(folder, name, {
        revision: options.revision,
        private: !options.public,
        mustBePrivate: options.private,
        include: options.include,
        message: options.message,
        onNote: (line) => output.note(line),
        onProgress: ({ file, sent, total, wasThere }) => {
          if (!options.json) show({ file, bytes: sent, total, ...(wasThere && { remark: "was there" }) });
        },
      });
      output.result(report, () => reportText(report));
    });
  withExamples(command, [
    { line: "lectern push runs/quickstart ORG/NAME --dry-run", does: "what would go, and how large it is" },
    { line: "lectern push runs/quickstart ORG/NAME", does: "into a private repository; run it again after an interruption" },
    { line: "lectern push exported ORG/NAME --revision onnx --public", does: "an export, to a branch of a public one" },
  ]);
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

function inFigures({ files, leftOut }: PushPlan): unknown {
  const listed = files.map(({ path, kind, bytes }) => ({ path, kind, bytes }));
  return { dry_run: true, files: listed, bytes: sum(files.map(({ bytes }) => bytes)), left_out: leftOut };
}

function planText({ files, leftOut }: PushPlan): string {
  const width = Math.max(...files.map(({ path }) => path.length));
  const lines = files.map(
    ({ path, kind, bytes, edited }) =>
      `${path.padEnd(width)}  ${bytes.toLocaleString("en").padStart(14)} bytes  ${kind}${edited ? ", without the paths of this machine" : ""}`,
  );
  const total = `${files.length} files, ${megabytes(sum(files.map(({ bytes }) => bytes)))}; nothing was sent.`;
  return [...lines, ...(leftOut.length > 0 ? [`stays here: ${leftOut.join(", ")}`] : []), total].join("\n");
}

export function reportText({ model, url, commit, created, private: isPrivate, changed, files, bytesSent }: PushReport): string {
  const what =
    changed.length === 0
      ? `all ${files.length} files were there already, as they are`
      : `${changed.length} of ${files.length} files differed; ${megabytes(bytesSent)} sent`;
  return `${model} (${isPrivate ? "private" : "public"}${created ? ", new" : ""}): ${what}; commit ${commit.slice(0, 7)}\n${url}`;
}
