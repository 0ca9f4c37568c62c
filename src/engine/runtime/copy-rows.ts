/** The command "copyRows": see `Command`. Copying within one array is what JavaScript does fastest. */
export function copyRows(elements: Float32Array, to: number, width: number, starts: Uint32Array): void {
  for (let row = 0, at = to; row < starts.length; row++, at += width) elements.copyWithin(at, starts[row], starts[row] + width);
}
