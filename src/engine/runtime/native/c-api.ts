/**
 * ONNX Runtime's C API, called through koffi on the shared library that the onnxruntime-node package ships. This file alone
 * knows the table of functions: its order is that of struct OrtApi in onnxruntime_c_api.h, and since the struct only ever grows
 * at its end, an index stays valid in every later version.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import koffi from "koffi";
import { LecternError } from "../../../errors.js";

/** The version of the interface that is asked for; the library answers with null when it is older. */
const apiVersion = 20;

/** An opaque pointer of the library. */
export type Pointer = unknown;
type Out = [Pointer];
type NativeFunction = ((...args: unknown[]) => unknown) & { async: (...args: unknown[]) => void };

const table = {
  GetErrorMessage: [2, "const char *GetErrorMessage(void *status)"],
  CreateSessionFromArray: [8, "void *CreateSessionFromArray(void *env, const uint8_t *model, size_t length, void *options, _Out_ void **session)"],
  Run: [9, "void *Run(void *session, void *options, const void *inputNames, const void *inputs, size_t inputCount, const void *outputNames, size_t outputCount, void *outputs)"],
  CreateSessionOptions: [10, "void *CreateSessionOptions(_Out_ void **options)"],
  EnableProfiling: [14, process.platform === "win32" ? "void *EnableProfiling(void *options, str16 prefix)" : "void *EnableProfiling(void *options, const char *prefix)"],
  DisableMemPattern: [17, "void *DisableMemPattern(void *options)"],
  SetSessionGraphOptimizationLevel: [23, "void *SetSessionGraphOptimizationLevel(void *options, int level)"],
  SetIntraOpNumThreads: [24, "void *SetIntraOpNumThreads(void *options, int threads)"],
  CreateRunOptions: [39, "void *CreateRunOptions(_Out_ void **options)"],
  RunOptionsSetTerminate: [46, "void *RunOptionsSetTerminate(void *options)"],
  CreateTensorWithDataAsOrtValue: [49, "void *CreateTensorWithDataAsOrtValue(void *memoryInfo, void *data, size_t bytes, int64_t *shape, size_t rank, int type, _Out_ void **value)"],
  CreateCpuMemoryInfo: [69, "void *CreateCpuMemoryInfo(int allocator, int memoryType, _Out_ void **info)"],
  AllocatorFree: [76, "void *AllocatorFree(void *allocator, void *pointer)"],
  GetAllocatorWithDefaultOptions: [78, "void *GetAllocatorWithDefaultOptions(_Out_ void **allocator)"],
  ReleaseStatus: [93, "void ReleaseStatus(void *status)"],
  ReleaseSession: [95, "void ReleaseSession(void *session)"],
  ReleaseValue: [96, "void ReleaseValue(void *value)"],
  ReleaseRunOptions: [97, "void ReleaseRunOptions(void *options)"],
  ReleaseSessionOptions: [100, "void ReleaseSessionOptions(void *options)"],
  SessionEndProfiling: [110, "void *SessionEndProfiling(void *session, void *allocator, _Out_ void **path)"],
  CreateEnvWithGlobalThreadPools: [119, "void *CreateEnvWithGlobalThreadPools(int level, const char *name, void *threading, _Out_ void **env)"],
  DisablePerSessionThreads: [120, "void *DisablePerSessionThreads(void *options)"],
  CreateThreadingOptions: [121, "void *CreateThreadingOptions(_Out_ void **options)"],
  AddSessionConfigEntry: [130, "void *AddSessionConfigEntry(void *options, const char *key, const char *value)"],
  CreateAndRegisterAllocator: [144, "void *CreateAndRegisterAllocator(void *env, void *memoryInfo, void *arena)"],
  SetGlobalIntraOpNumThreads: [147, "void *SetGlobalIntraOpNumThreads(void *options, int threads)"],
  SetGlobalSpinControl: [149, "void *SetGlobalSpinControl(void *options, int allow)"],
  SetGlobalDenormalAsZero: [155, "void *SetGlobalDenormalAsZero(void *options)"],
} as const satisfies Record<string, readonly [number, string]>;

export type FunctionName = keyof typeof table;
export type CApi = { readonly [Name in FunctionName]: NativeFunction } & {
  /** Throws where a function returned a status. */
  check(status: Pointer): void;
  /** Calls a function whose last argument is a pointer to a result, and returns the result. */
  make(name: FunctionName, ...args: unknown[]): Pointer;
  /** Reads a C string and frees it. */
  text(pointer: Pointer): string;
  readonly version: string;
};

let loaded: CApi | undefined;

/** Loads the library once. Throws NATIVE_LIBRARY_MISSING where there is none for this platform. */
export function loadCApi(): CApi {
  return (loaded ??= bind());
}

function bind(): CApi {
  const library = load(libraryPath());
  const apiBase = koffi.struct({ GetApi: "void *", GetVersionString: "void *" });
  const base = koffi.decode(library.func("void *OrtGetApiBase()")(), apiBase) as { GetApi: Pointer; GetVersionString: Pointer };
  const version = (koffi.decode(base.GetVersionString, koffi.proto("const char *GetVersionString()")) as () => string)();
  const api = (koffi.decode(base.GetApi, koffi.proto("void *GetApi(uint32_t version)")) as (version: number) => Pointer)(apiVersion);
  if (api === null) throw missing(`ONNX Runtime ${version}, which is too old`);
  const last = Math.max(...Object.values(table).map(([index]) => index));
  const pointers = koffi.decode(api, koffi.array("void *", last + 1)) as Pointer[];
  const functions = Object.fromEntries(
    Object.entries(table).map(([name, [index, prototype]]) => [name, koffi.decode(pointers[index], koffi.proto(prototype)) as NativeFunction]),
  ) as { [Name in FunctionName]: NativeFunction };
  const check = (status: Pointer) => {
    if (status === null) return;
    const message = functions.GetErrorMessage(status) as string;
    functions.ReleaseStatus(status);
    throw new Error(message);
  };
  const make = (name: FunctionName, ...args: unknown[]) => {
    const out: Out = [null];
    check(functions[name](...args, out));
    return out[0];
  };
  const text = (pointer: Pointer) => {
    const value = koffi.decode(pointer, "char", -1) as string;
    check(functions.AllocatorFree(make("GetAllocatorWithDefaultOptions"), pointer));
    return value;
  };
  return { ...functions, check, make, text, version };
}

/** Strings as the library takes them, laid out once: an array of addresses and what it points to. Both stay as long as this object. */
export interface NameArray {
  readonly address: Pointer;
  readonly bytes: Uint8Array;
  readonly pointers: BigUint64Array;
}

export function nameArray(names: readonly string[]): NameArray {
  const bytes = new TextEncoder().encode(names.map((name) => `${name}\0`).join("") + "\0"); // never empty
  const pointers = new BigUint64Array(new ArrayBuffer((names.length + 1) * 8));
  const start = addressOf(bytes);
  let at = 0;
  names.forEach((name, index) => {
    pointers[index] = start + BigInt(at);
    at += Buffer.byteLength(name) + 1;
  });
  return { address: addressOf(pointers), bytes, pointers };
}

/** Where the elements of an array lie. */
export function addressOf(array: ArrayBufferView): bigint {
  return koffi.address(array);
}

/** The memory at an address of this process, not copied; it must outlive the view. */
export function viewAt(address: Pointer, byteLength: number): ArrayBuffer {
  return koffi.view(address, byteLength);
}

function load(path: string) {
  try {
    return koffi.load(path);
  } catch (error) {
    throw missing(`${path}: ${(error as Error).message}`);
  }
}

/** Where the onnxruntime-node package keeps the library of this platform; LECTERN_ONNXRUNTIME names another. */
function libraryPath(): string {
  const chosen = process.env.LECTERN_ONNXRUNTIME;
  if (chosen !== undefined) {
    if (!existsSync(chosen)) throw missing(`LECTERN_ONNXRUNTIME=${chosen}, which does not exist`);
    return chosen;
  }
  const names: Partial<Record<NodeJS.Platform, string>> = { linux: "libonnxruntime.so.1", darwin: "libonnxruntime.1.dylib", win32: "onnxruntime.dll" };
  let root: string;
  try {
    root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  } catch {
    throw missing("no onnxruntime-node package");
  }
  const path = join(root, "bin", "napi-v6", process.platform, process.arch, names[process.platform] ?? "libonnxruntime");
  if (!existsSync(path)) throw missing("a package without a library for this platform");
  return path;
}

function missing(received: string): LecternError {
  return new LecternError("NATIVE_LIBRARY_MISSING", {
    message: `ONNX Runtime's library for ${process.platform}-${process.arch} is missing.`,
    expected: "the onnxruntime-node package with a library for this platform (linux x64/arm64, macOS arm64, Windows x64/arm64)",
    received,
    next: "run `npm ci` again, or set LECTERN_ONNXRUNTIME to the path of an ONNX Runtime library (1.20 or newer)",
  });
}
