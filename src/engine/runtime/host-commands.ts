/** The commands that JavaScript does itself, on whichever thread. */
import type { HostCommand, Tensor } from "./runtime.js";

/** Does one; what a "read" finds goes behind `results`. */
export function doOnHost(command: HostCommand<Pick<Tensor, "data">>, results: Float32Array[]): void {
  const data = command.tensor.data as Float32Array;
  switch (command.do) {
    case "fill":
      data.fill(command.value);
      break;
    case "write":
      data.set(command.data as Float32Array);
      break;
    case "copyRows":
      copyRows(data, command.to, command.width, command.starts);
      break;
    case "read":
      results.push(Float32Array.from(data));
      break;
  }
}

/** The command "copyRows". Copying within one array is what JavaScript does fastest. */
export function copyRows(elements: Float32Array, to: number, width: number, starts: Uint32Array): void {
  for (let row = 0, at = to; row < starts.length; row++, at += width) elements.copyWithin(at, starts[row], starts[row] + width);
}
