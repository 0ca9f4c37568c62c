import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { InternalError, LecternError } from "../errors.js";
import { describeFailure } from "./failure.js";

test("a user's mistake: what was expected, what came, what to do; exit code 1, no stack", () => {
  const error = new LecternError("FILE_MISSING", {
    message: "There is no a.json.",
    expected: "data",
    received: "nothing",
    next: "Check the path.",
  });
  expect(describeFailure(error, false)).toEqual({
    exitCode: 1,
    text: "error FILE_MISSING: There is no a.json.\n  expected: data\n  received: nothing\n  next: Check the path.\n",
  });
  expect(JSON.parse(describeFailure(error, true).text)).toEqual({
    error: { code: "FILE_MISSING", message: "There is no a.json.", expected: "data", received: "nothing", next: "Check the path." },
  });
});

test.each([new InternalError("a buffer was freed twice"), new TypeError("x is not a function"), "a thrown text"])(
  "a mistake of ours: %s",
  (thrown) => {
    const { exitCode, text } = describeFailure(thrown, false);
    expect(exitCode).toBe(70);
    expect(text).toContain(thrown instanceof Error ? thrown.message : thrown);
    expect(text).toContain("Please report it");
    expect(text).toMatch(/ {4}at /);
    expect(JSON.parse(describeFailure(thrown, true).text)).toMatchObject({ error: { code: "INTERNAL" } });
  },
);

test("the cause of a mistake of ours is told too", () => {
  expect(describeFailure(new InternalError("outer", { cause: new Error("the root of it") }), false).text).toContain(
    "caused by: Error: the root of it",
  );
});

test("a full disk is the user's to mend wherever it comes up", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", path: "runs/a/x" });
  const { exitCode, text } = describeFailure(full, false);
  expect(exitCode).toBe(1);
  expect(text).toContain("error DISK_FULL: No room to write runs/a/x");
});

test("help that was asked for is no failure, a command line that is wrong is a mistake", () => {
  expect(describeFailure(new CommanderError(0, "commander.helpDisplayed", "(outputHelp)"), false)).toEqual({ exitCode: 0, text: "" });
  expect(describeFailure(new CommanderError(1, "commander.unknownOption", "error: unknown option '--x'"), true)).toMatchObject({
    exitCode: 1,
    text: expect.stringContaining('"code":"USAGE","message":"unknown option \'--x\'"') as string,
  });
});
