import fc from "fast-check";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { containedFile, isPlainName, openPlainFile, readContainedText, readPlainText } from "./plain-file.js";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "plain-file-"));
  folder = path.join(root, "model");
  mkdirSync(path.join(folder, "onnx"), { recursive: true });
  writeFileSync(path.join(folder, "config.json"), "{}");
  writeFileSync(path.join(root, "secret"), "the secret");
});
afterEach(() => rmSync(root, { recursive: true }));

const windows = process.platform === "win32";
const kind = { what: "a model's configuration", limit: 100 };

describe("a plain file", () => {
  test("is opened with its size", () => {
    const { descriptor, size } = openPlainFile(path.join(root, "secret"), "a file");
    closeSync(descriptor);
    expect(size).toBe(10);
  });

  test.skipIf(windows)("is not a pipe: no reader waits for its writer", () => {
    const pipe = path.join(folder, "pipe");
    spawnSync("mkfifo", [pipe]);
    expect(() => openPlainFile(pipe, "a file")).toThrow(/not a plain file[^]*received: a pipe/);
  });

  test("is not a folder, a device or a name with a zero byte", () => {
    expect(() => openPlainFile(folder, "a file")).toThrow(expect.objectContaining({ code: "FILE_NOT_READABLE" }));
    expect(() => openPlainFile("a\0b", "a file")).toThrow(expect.objectContaining({ code: "FILE_NOT_READABLE" }));
    expect(() => openPlainFile("x".repeat(5000), "a file")).toThrow(expect.objectContaining({ code: "FILE_NOT_READABLE" }));
    if (!windows) expect(() => openPlainFile("/dev/zero", "a file")).toThrow(/a device or a socket/);
  });
});

describe("a text", () => {
  const read = (content: string | Uint8Array) => {
    const file = path.join(folder, "text");
    writeFileSync(file, content);
    return readPlainText(file, kind);
  };

  test("is read without its byte order mark", () => expect(read("\uFEFF{}")).toBe("{}"));

  for (const [name, bytes, received] of [
    ["UTF-16", Buffer.from("\uFEFF{}", "utf16le"), "UTF-16 text"],
    ["Latin-1", Buffer.from("Zürich", "latin1"), "text in another encoding"],
    ["a zip archive", Buffer.from("PK\x03\x04\xff\xfe", "latin1"), "a zip archive"],
    ["a gzip archive", Buffer.from([0x1f, 0x8b, 8, 0, 0xff]), "a gzip archive"],
    ["weights", Buffer.from([0xff, 0, 0, 0]), "a binary file"],
  ] as const) {
    test(`in ${name} is told as that`, () => expect(() => read(bytes)).toThrow(new RegExp(`not UTF-8[^]*received: ${received}`)));
  }

  test("that is too large is not read", () => {
    writeFileSync(path.join(folder, "huge"), "");
    truncateSync(path.join(folder, "huge"), 2 ** 41);
    expect(() => readPlainText(path.join(folder, "huge"), kind)).toThrow(expect.objectContaining({ code: "FILE_TOO_LARGE" }));
  });
});

describe("a file of a model folder", () => {
  const refused = expect.objectContaining({ code: "FILE_OUTSIDE_FOLDER" }) as Error;

  test("may lie in the folder or below it", () => {
    writeFileSync(path.join(folder, "onnx", "model.onnx"), "");
    expect(containedFile(folder, "config.json", "a file")).toBe(path.join(folder, "config.json"));
    expect(containedFile(folder, "onnx/model.onnx", "a file")).toBe(path.join(folder, "onnx", "model.onnx"));
  });

  test("may not be named by a path out of it", () => {
    for (const name of ["../secret", "onnx/../../secret", ".", ".."]) expect(() => containedFile(folder, name, "a file")).toThrow(refused);
  });

  test.skipIf(windows)("may be a link within it, or the folder itself a link, but no link leads out", () => {
    symlinkSync("../config.json", path.join(folder, "onnx", "config.json"));
    symlinkSync(folder, path.join(root, "link"));
    expect(readContainedText(path.join(root, "link"), "onnx/config.json", kind)).toBe("{}");
    symlinkSync("../secret", path.join(folder, "near"));
    symlinkSync("/etc/passwd", path.join(folder, "far"));
    symlinkSync("near", path.join(folder, "chain"));
    symlinkSync("..", path.join(folder, "up"));
    for (const name of ["near", "far", "chain", "up/secret"]) expect(() => readContainedText(folder, name, kind)).toThrow(refused);
    symlinkSync("circle", path.join(folder, "circle"));
    expect(() => containedFile(folder, "circle", "a file")).toThrow(expect.objectContaining({ code: "FILE_NOT_READABLE" }));
  });

  test.skipIf(windows)("of the hub's cache may lie in the blobs of its model, and of no other", () => {
    const snapshot = path.join(root, "models--a--b", "snapshots", "0".repeat(40));
    for (const place of ["models--a--b/blobs", "models--c--d/blobs"]) {
      mkdirSync(path.join(root, place), { recursive: true });
      writeFileSync(path.join(root, place, "content"), "{}");
    }
    mkdirSync(path.join(snapshot, "onnx"), { recursive: true });
    symlinkSync("../../blobs/content", path.join(snapshot, "config.json"));
    symlinkSync("../../../blobs/content", path.join(snapshot, "onnx", "config.json"));
    symlinkSync("../../../models--c--d/blobs/content", path.join(snapshot, "stolen"));
    expect(readContainedText(snapshot, "config.json", kind)).toBe("{}");
    expect(readContainedText(snapshot, "onnx/config.json", kind)).toBe("{}");
    expect(readContainedText(path.join(snapshot, "onnx"), "config.json", kind)).toBe("{}");
    expect(() => containedFile(snapshot, "stolen", "a file")).toThrow(refused);
  });
});

describe("a plain name", () => {
  test("is one that means a file of one folder on every system", () => {
    for (const name of ["model.safetensors", "model-00001-of-00002.safetensors", "a b.json", "über.json", "console.json"]) {
      expect([name, isPlainName(name)]).toEqual([name, true]);
    }
    const bad = ["", ".", "..", "a/b", "a\\b", "C:a", "a:stream", "a\0", "a\nb", "NUL", "nul.safetensors", "com1.json", "LPT9.x", "a.", "a ", "a*", 3, null];
    for (const name of bad) expect([name, isPlainName(name)]).toEqual([name, false]);
  });

  test("stays in its folder, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(".", "/", "\\", ":", "a", "\0") })), (name) => {
        for (const system of [path.posix, path.win32]) {
          if (isPlainName(name)) expect(system.resolve("/base", name)).toBe(system.join(system.resolve("/base"), name));
          if (isPlainName(name)) expect(system.dirname(system.resolve("/base", name))).toBe(system.resolve("/base"));
        }
      }),
    );
  });
});
