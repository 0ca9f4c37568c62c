/** The thread of a queue: takes lists of commands, does each to its end, and says what it read or why it failed. */
import { parentPort } from "node:worker_threads";
import type { DataType } from "../../graph/value.js";
import { copyRows } from "../copy-rows.js";
import { bytesPerElement, type HostArray } from "../runtime.js";
import { loadCApi, type Pointer, viewAt } from "./c-api.js";
import { finishCall, type ProgramCall, runArguments } from "./native-program.js";
import { hostView } from "./native-tensor.js";

/** Where a tensor's elements lie. */
export interface Place {
  readonly address: Pointer;
  readonly dtype: DataType;
  readonly count: number;
}

/** A `Command` without objects of the other thread. */
export type ThreadCommand =
  | { readonly do: "run"; readonly call: ProgramCall }
  | { readonly do: "fill"; readonly place: Place; readonly value: number }
  | { readonly do: "write"; readonly place: Place; readonly data: HostArray }
  | { readonly do: "copyRows"; readonly within: Place; readonly to: number; readonly width: number; readonly starts: Uint32Array }
  | { readonly do: "read"; readonly place: Place };

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
  switch (command.do) {
    case "run":
      return finishCall(api, command.call, api.Run(...runArguments(command.call, runOptions)));
    case "fill":
      return void (elementsAt(command.place) as Float32Array).fill(command.value);
    case "write":
      return (elementsAt(command.place) as Float32Array).set(command.data as Float32Array);
    case "copyRows":
      return copyRows(wholeAt(command.within), command.to, command.width, command.starts);
    case "read":
      return void results.push(Float32Array.from(elementsAt(command.place) as Float32Array));
  }
}

let whole: { readonly place: Place; readonly elements: Float32Array } | undefined;

/** The elements of a whole memory, which is nearly always the one asked for last: of so large a view there should not be many. */
function wholeAt(place: Place): Float32Array {
  if (whole === undefined || whole.place.address !== place.address || whole.place.count !== place.count) whole = { place, elements: elementsAt(place) as Float32Array };
  return whole.elements;
}

function elementsAt({ address, dtype, count }: Place): HostArray {
  return hostView(dtype, viewAt(address, count * bytesPerElement[dtype]), 0, count);
}
