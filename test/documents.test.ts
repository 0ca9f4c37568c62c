/** What the documents say can be done: every command line parses, every script, link and setting exists, every page is in the index. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { CommanderError, type Command } from "commander";
import { describe, expect, test } from "vitest";
import { createProgram } from "../src/cli/program.js";
import { loadVerbs } from "../src/cli/verbs.js";
import { type Block, differentiate, linear, symbol, tanh } from "../src/engine/index.js";
import { loadRecipe } from "../src/train/recipe-load.js";

const inFolder = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...["docs", "docs/decisions", "bench", "reference", "starter/minilm-l6", "starter/squad"].flatMap((folder) => inFolder(folder, ".md")),
];
const textOf = (file: string): string => readFileSync(file, "utf8");

const verbs = await loadVerbs();

/** A program whose verbs do nothing but note that their command line was understood. */
function silentProgram(): { program: Command; understood: () => boolean } {
  const program = createProgram(verbs, async () => {});
  let called = false;
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} }).exitOverride();
    if (command !== program) command.action(() => void (called = true));
  }
  return { program, understood: () => called };
}

/** Every `lectern …` in a text: lines of their own (a shell's or a recipe's comment), and code within a sentence. */
function commandLines(text: string): string[] {
  const whole = [...text.matchAll(/^[ \t#*]*((?:npx )?lectern [a-z].*)$/gm)].map(([, line]) => line.replace(/ {2,}.*$| #.*$/, ""));
  const inline = [...text.matchAll(/`((?:npx )?lectern [a-z][^`]*)`/g)].map(([, line]) => line);
  return [...whole, ...inline].map((line) =>
    line
      .replace(/^npx /, "")
      .replace(/^lectern /, "")
      .trim(),
  );
}

/** The words of a command line as a shell would cut them. */
function shellWords(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|\S)+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

/** A synopsis says what may stand there: `inspect DATA... [--json]`. Its verb and options are looked at, its values not. */
const isSynopsis = (line: string): boolean => /\[-|\.\.\.|…| [A-Z]+( |$)/.test(line);

async function requireUnderstood(line: string): Promise<void> {
  const [verb, ...words] = shellWords(line);
  const { program, understood } = silentProgram();
  const command = program.commands.find((one) => one.name() === verb);
  expect(command, `a verb ${verb}`).toBeDefined();
  const options = line.match(/(?<=[\s[])--?[a-z][\w-]*/g) ?? [];
  const known = ["--help", ...command!.options.flatMap(({ long, short }) => [long, short])];
  expect(options.filter((option) => !known.includes(option))).toEqual([]);
  if (words.length === 0 || isSynopsis(line)) return; // a verb that is only named
  try {
    await program.parseAsync([verb, ...words], { from: "user" });
    expect(understood()).toBe(true);
  } catch (error) {
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error; // --help ends that way
  }
  const positionals = words.filter((word) => !word.startsWith("-"));
  if (verb === "quickstart") await loadRecipe("recipes/quickstart.yaml", positionals);
  if (verb === "train" && existsSync(positionals[0])) await loadRecipe(positionals[0], positionals.slice(1));
}

/** What `lectern VERB --help` prints, its examples included. */
function helpOf(command: Command): string {
  let printed = "";
  command.configureOutput({ writeOut: (text) => void (printed += text) }).outputHelp();
  return printed;
}

describe("command lines", () => {
  const sources = [...pages, ...inFolder("recipes", ".yaml")].map((file) => ({ name: file, text: textOf(file) }));
  const helps = silentProgram().program.commands.map((command) => ({ name: `lectern ${command.name()} --help`, text: helpOf(command) }));
  const found = [...sources, ...helps].flatMap(({ name, text }) => commandLines(text).map((line) => ({ name, line })));

  test.each(found)("$name: lectern $line", ({ line }) => requireUnderstood(line));

  test("are found at all: the README has one for most verbs, and each help has examples", () => {
    expect(commandLines(textOf("README.md")).length).toBeGreaterThan(4);
    for (const verb of ["train", "evaluate", "inspect"]) expect(found.some(({ name }) => name === `lectern ${verb} --help`)).toBe(true);
  });

  test("a wrong one is noticed", async () => {
    await expect(requireUnderstood("evaluate --model a --date b")).rejects.toThrow();
    await expect(requireUnderstood("train recipes/quickstart.yaml learning_rat=1")).rejects.toThrow(/learning_rat/);
    await expect(requireUnderstood("explain --model M")).rejects.toThrow();
  });
});

test("the README names every verb and no other", () => {
  const named = [...textOf("README.md").matchAll(/^\| `([a-z]+)` \|/gm)].map(([, verb]) => verb);
  expect(named.sort()).toEqual(
    silentProgram()
      .program.commands.map((command) => command.name())
      .sort(),
  );
});

test("every script that a page names exists", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  const named = pages.flatMap((page) => [...textOf(page).matchAll(/npm run (?:-s )?([\w:]+)/g)].map(([, script]) => script));
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
});

test.each(pages)("every link in %s leads somewhere", (page) => {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target).filter((target) => !/^(https?:|#)/.test(target));
  expect(links.filter((target) => !existsSync(join(dirname(page), target.replace(/#.*/, ""))))).toEqual([]);
});

test("docs/README.md lists every page", () => {
  const listed = [...textOf("docs/README.md").matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => normalize(join("docs", target)));
  const all = [...inFolder("docs", ".md"), ...inFolder("docs/decisions", ".md")].filter((file) => file !== "docs/README.md");
  expect(all.filter((file) => !listed.includes(file))).toEqual([]);
});

test("decisions have numbers of their own, in name and heading", () => {
  const names = readdirSync("docs/decisions");
  expect(new Set(names.map((name) => name.slice(0, 3))).size).toBe(names.length);
  for (const name of names) expect(textOf(join("docs/decisions", name)), name).toMatch(new RegExp(`^# ${name.slice(0, 3)} \\S`));
});

test("the programs in the README are those of examples/", () => {
  const dense = (text: string): string => text.replace(/\s+/g, " ").trim();
  const examples = inFolder("examples", ".ts").map((file) => dense(textOf(file)));
  const blocks = [...textOf("README.md").matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => dense(block));
  expect(blocks.length).toBeGreaterThan(0);
  expect(blocks.filter((block) => !examples.some((example) => example.includes(block)))).toEqual([]);
});

test("the graphs in docs/architecture.md are what the engine makes of that block", () => {
  const block: Block = {
    kind: "example",
    inputs: { x: { dtype: "float32", shape: [symbol("batch"), symbol("seq"), 32] } },
    parameters: { weight: { shape: [64, 32], initialise: { kind: "normal", deviation: 0.02 }, decay: true } },
    build: ({ inputs, parameters }) => ({ y: tanh(linear(inputs.x, parameters.weight)) }),
  };
  const { forward, backward } = differentiate(block, {
    inputs: new Map([["x", "write"]]),
    outputs: ["y"],
    parameters: new Set(["weight"]),
    policy: "recompute",
  });
  const page = textOf("docs/architecture.md").replace(/^ {4}/gm, "");
  expect(page).toContain(`\n${forward.graph}\n`);
  expect(page).toContain(`\n${backward!.graph}\n`);
});
