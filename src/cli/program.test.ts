import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Command } from "commander";
import { describeFailure } from "./failure.js";
import { collect, withExamples, wholeNumber } from "./help.js";
import { createProgram, version } from "./program.js";
import { registerTrain } from "./train.js";

let printed = "";
let called: unknown[] = [];
beforeEach(() => {
  printed = "";
  called = [];
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});

function registerGreet(program: Command): void {
  const command = program
    .command("greet")
    .description("says hello")
    .argument("<name>")
    .option("--times <n>", "how often", wholeNumber(1), 1)
    .option("--to <place>", "where; may be repeated", collect, [])
    .action((...values: unknown[]) => void (called = values));
  withExamples(command, [{ line: "lectern greet you", does: "says hello to you" }]);
}

/** What a command line ends in: undefined, or how its error is told. */
async function ending(...words: string[]): Promise<string | undefined> {
  const program = createProgram([registerGreet, (root) => registerTrain(root, () => Promise.reject(new Error("not opened here")))]);
  for (const command of [program, ...program.commands]) command.configureOutput({ writeOut: (text) => (printed += text) });
  try {
    await program.parseAsync(words, { from: "user" });
    return undefined;
  } catch (error) {
    const { exitCode, text } = describeFailure(error, false);
    return `${exitCode} ${text}`;
  }
}

describe("the command line", () => {
  test("calls the verb with its options", async () => {
    expect(await ending("greet", "you", "--times", "3", "--to", "a", "--to", "b")).toBeUndefined();
    expect(called.slice(0, 2)).toEqual(["you", { times: 3, to: ["a", "b"] }]);
  });

  test.each([
    [["greet"], "missing required argument 'name'"],
    [["greet", "you", "--time", "2"], "unknown option '--time'\n(Did you mean --times?)"],
    [["greet", "you", "--times", "2.5"], "It must be a whole number, at least 1."],
    [["greet", "you", "--times", "0"], "It must be a whole number, at least 1."],
    [["greet", "you", "them"], "too many arguments"],
  ])("%j is a mistake", async (words, message) => {
    const told = await ending(...words);
    expect(told).toMatch(/^1 error USAGE: /);
    expect(told).toContain(message);
    expect(told).toContain("See npx lectern greet --help.");
    expect(called).toEqual([]);
  });

  test("a verb that does not exist is a mistake", async () => {
    const told = await ending("gret");
    expect(told).toContain("unknown command 'gret'\n(Did you mean greet?)");
    expect(told).toContain("See npx lectern --help.");
  });

  test("prints its version, which is the package's", async () => {
    expect(await ending("--version")).toBe("0 ");
    expect(printed).toBe(`${version}\n`);
  });

  test("prints its help, and without a verb fails with it", async () => {
    expect(await ending("--help")).toBe("0 ");
    expect(printed).toMatch(/greet .*says hello/);
    expect(await ending()).toBe("1 ");
  });

  test("prints a verb's help with examples", async () => {
    expect(await ending("greet", "--help")).toBe("0 ");
    expect(printed).toContain("Examples:\n  npx lectern greet you  says hello to you");
  });

  test("prints every setting of a recipe with its default", async () => {
    expect(await ending("train", "--help")).toBe("0 ");
    expect(printed).toMatch(/ learning_rate=0\.00005 +Peak learning rate\./);
    expect(printed).toMatch(/ revision +Branch, tag or commit/);
  });
});
