/** The command line as a whole: the program that the verbs register themselves with, and how it is run to its exit code. */
import { readFileSync } from "node:fs";
import { Command, type CommanderError, Help, type Option, type ParseOptions } from "commander";
import { importModules } from "../files/own-modules.js";
import { writingError } from "../files/system-errors.js";
import { describeFailure, type MistakenVerb } from "./failure.js";
import { unknownOption, withUsualNames } from "./option-names.js";

/** Adds one verb to the program. */
export type RegisterVerb = (program: Command) => void;

/** package.json's version; the file lies two folders above both src/cli and dist/cli. */
export const version = (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;

/** The program, which takes an option under each of its names. */
class Program extends Command {
  /** What was typed, under the usual names. */
  words: readonly string[] = [];

  override parseAsync(words: readonly string[], options?: ParseOptions): Promise<this> {
    this.words = withUsualNames(words, this.commands);
    return super.parseAsync(this.words, options);
  }
}

/**
 * Its words are parsed with `{ from: "user" }`: they begin with the verb.
 * @param load imports the modules of --import
 */
export function createProgram(verbs: readonly RegisterVerb[], load = importModules): Command {
  const program = new Program("lectern")
    .usage("VERB [options]")
    .description("Fine-tune and evaluate question-answering language models.")
    .version(version, "-v, --version", "print the version")
    .commandsGroup("Verbs:")
    .helpCommand("help [verb]", "show the help of a verb")
    .configureHelp({ showGlobalOptions: false, subcommandTerm: (verb) => verb.name(), optionDescription })
    .addHelpText("after", "\nThe first time: npx lectern quickstart. A verb's options, with examples: npx lectern VERB --help.")
    .configureOutput({ writeErr: (text) => void (text.startsWith("error:") || process.stderr.write(text)) }) // errors are told by describeFailure
    .exitOverride();
  for (const register of verbs) register(program);
  program.hook("preAction", (_, verb) => load(verb.opts<{ import?: string[] }>().import ?? []));
  for (const verb of program.commands) {
    verb.option("--import <file>", "a module of yours that adds models, metrics or forms of data; may be repeated", (file: string, before?: string[]) => [
      ...(before ?? []),
      file,
    ]);
    verb.exitOverride((thrown) => {
      const missing = thrown.code === "commander.missingMandatoryOptionValue";
      const error = (missing ? unknownOption(program.words.slice(1), verb) : undefined) ?? thrown;
      throw Object.assign<CommanderError, MistakenVerb>(error, { verb: verb.name() });
    });
  }
  return program;
}

/** Defaults that say nothing, false and the empty list, are not shown. */
function optionDescription(option: Option): string {
  const { defaultValue } = option as { defaultValue?: unknown };
  const saysNothing = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  return saysNothing ? option.description : new Help().optionDescription(option);
}

/**
 * Runs one command line. Sets process.exitCode; the process ends by itself once nothing is left to do, so that output is never cut off.
 *
 * @param words the arguments after the program's name
 */
export async function runProgram(program: Command, words: readonly string[]): Promise<void> {
  const json = words.includes("--json");
  const fail = (error: unknown): void => {
    const { exitCode, text } = describeFailure(error, json);
    process.exitCode = exitCode;
    process.stderr.write(text);
  };
  const failHard = (error: unknown): void => {
    fail(error);
    process.exit();
  };
  process.on("uncaughtException", failHard).on("unhandledRejection", failHard);
  process.stderr.on("error", () => undefined); // nobody listens to the notes any more: the work goes on
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(); // `lectern … | head`: the reader has what it wanted
    failHard(writingError(error, "the standard output"));
  });
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    fail(error);
  }
}
