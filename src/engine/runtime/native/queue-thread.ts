/** The thread of a queue: takes lists of commands, does each to its end, and says what it read or why it failed. */
import { parentPort } from "node:worker_threads";
import type { DataType } from "../../graph/value.js";
import { doOnHost } from "../host-commands.js";
import { bytesPerElement, type HostArray, type HostCommand } from "../runtime.js";
import { loadCApi, type Pointer, viewAt } from "./c-api.js";
import { libraryCall, type ProgramCall } from "./native-program.js";
import { hostView } from "./native-tensor.js";

/** Where a tensor's elements lie. */
export interface Place {
  readonly address: Pointer;
  readonly dtype: DataType;
  readonly count: number;
}

/** A `Command` without objects of the other thread. */
export type ThreadCommand = { readonly do: "run"; readonly call: ProgramCall } | HostCommand<Place>;

/** A list. */
export interface Task {
  readonly commands: readonly ThreadCommand[];
  /** What the library calls run options: through them the other thread can end a run. */
  readonly runOptions: Pointer;
}

/** The answer to a list. */
export interface Done {
  readonly results: Float32Array[];
  readonly error?: string;
}

const api = loadCApi();

parentPort!.on("message", ({ commands, runOptions }: Task) => {
  const results: Float32Array[] = [];
  try {
    for (const command of commands) perform(command, runOptions, results);
    answer({ results });
  } catch (error) {
    answer({ results: [], error: (error as Error).message });
  }
});

function answer(done: Done): void {
  parentPort!.postMessage(done);
}

function perform(command: ThreadCommand, runOptions: Pointer, results: Float32Array[]): void {
  if (command.do === "run") {
    const { words, finish } = libraryCall(api, command.call, runOptions);
    finish(api.Run(...words));
  } else {
    const data = command.do === "copyRows" ? wholeAt(command.tensor) : elementsAt(command.tensor);
    doOnHost({ ...command, tensor: { data } }, results);
  }
}

let whole: { readonly place: Place; readonly elements: HostArray } | undefined;

/** The elements of a whole memory, which is nearly always the one asked for last: of so large a view there should not be many. */
function wholeAt(place: Place): HostArray {
  if (whole === undefined || whole.place.address !== place.address || whole.place.count !== place.count) whole = { place, elements: elementsAt(place) };
  return whole.elements;
}

function elementsAt({ address, dtype, count }: Place): HostArray {
  return hostView(dtype, viewAt(address, count * bytesPerElement[dtype]), 0, count);
}
