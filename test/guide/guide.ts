/** Does what docs/from-a-spreadsheet.md says, in a folder like a clone: its files are written, its command lines run, its question asked. */
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Ended, startOwn } from "../process.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A block of the page: a file to write, a command line, or a request. */
export type Instruction =
  { kind: "file"; name: string; text: string } | { kind: "lectern"; words: string[] } | { kind: "curl"; path: string; body: string };

/** The page's instructions, in their order: indented lines, and blocks of YAML that begin with the name of their file. */
export async function readGuide(): Promise<Instruction[]> {
  const page = (await readFile(join(root, "docs/from-a-spreadsheet.md"), "utf8")).replaceAll("\r\n", "\n");
  const found = page.matchAll(
    /^```yaml\n# (?<name>\S+)\n(?<text>[^]*?)^```$|^ {4}npx lectern (?<words>[^\n]+)$|^ {4}curl (?<request>[^\n]+\n[^\n]+)$/gm,
  );
  return [...found].map(({ groups }) => {
    const { name, text, words, request } = groups!;
    if (name !== undefined) return { kind: "file", name, text };
    if (words !== undefined) return { kind: "lectern", words: words.split(" ") };
    const [, path, body] = /^http:\/\/127\.0\.0\.1:8080(\S+) .*-d '(.*)'$/s.exec(request)!;
    return { kind: "curl", path, body };
  });
}

/** What came of the guide. */
export interface Outcome {
  /** What each verb printed; of several calls of one, in their order. */
  printed: Map<string, Ended[]>;
  /** The server's reply. */
  reply: { status: number; body: unknown };
}

/**
 * @param more words behind those of the page, by verb
 * @param onFolder looks at what was left, before it is removed
 */
export async function followGuide(more: Readonly<Record<string, string[]>>, onFolder: (folder: string) => Promise<void>): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "lectern-guide-"));
  try {
    for (const name of ["starter", "recipes", "examples"]) await symlink(join(root, name), join(folder, name), "junction");
    const printed = new Map<string, Ended[]>();
    let address = "";
    let server: ReturnType<typeof startOwn> | undefined;
    let reply: Outcome["reply"] | undefined;
    try {
      for (const instruction of await readGuide()) {
        if (instruction.kind === "file") await writeFile(join(folder, instruction.name), instruction.text);
        else if (instruction.kind === "curl") reply = await post(address + instruction.path, instruction.body);
        else {
          const [verb, ...words] = instruction.words;
          const running = startOwn("src/cli/main.ts", [verb, ...words, ...(more[verb] ?? [])], { cwd: folder });
          if (verb === "serve") {
            server = running;
            address = await addressOf(running);
            continue;
          }
          const ended = await running.ended;
          if (ended.code !== 0)
            throw new Error(`lectern ${instruction.words.join(" ")} ended with ${ended.code}:\n${ended.stdout}${ended.stderr}`);
          printed.set(verb, [...(printed.get(verb) ?? []), ended]);
        }
      }
    } finally {
      server?.process.kill("SIGTERM");
      await server?.ended;
    }
    await onFolder(folder);
    return { printed, reply: reply! };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function post(url: string, body: string): Promise<Outcome["reply"]> {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return { status: response.status, body: await response.json() };
}

/** The address that a server prints once it listens. */
async function addressOf(running: ReturnType<typeof startOwn>): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    const look = (data: Buffer): void => {
      text += data.toString();
      const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(text) ?? [];
      if (address !== undefined) resolve(address);
    };
    running.process.stdout.on("data", look);
    running.process.stderr.on("data", look);
    void running.ended.then(({ stderr }) => reject(new Error(`the server ended:\n${stderr}`)));
  });
}
