/**
 * Half precision (IEEE 754 binary16) as bit patterns, which JavaScript has no type for on Node 20. Narrowing rounds to the nearest value,
 * ties to even; a NaN stays a NaN and a value past the largest finite one becomes an infinity.
 */
let halfTable: Float32Array | undefined;

/** All 65,536 half-precision values, by bit pattern. */
function halfValues(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >>> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : NaN;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  halfTable = table;
  return table;
}

/** F16 bit patterns → 32-bit floats, exactly. `into` must be as long as `halves`. */
export function float16ToFloat32(halves: Uint16Array, into: Float32Array): void {
  const table = halfValues();
  for (let i = 0; i < halves.length; i++) into[i] = table[halves[i]];
}

/** 32-bit floats → F16 bit patterns, to nearest, ties to even. */
export function float32ToFloat16(floats: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i];
    const sign = (value >>> 16) & 0x8000;
    const magnitude = value & 0x7fffffff;
    if (magnitude >= 0x38800000 && magnitude < 0x47800000) {
      // Normal in both formats: re-bias the exponent by 127 − 15, add just under half a unit in the last place (a whole half when odd).
      into[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else if (magnitude < 0x38800000) {
      into[i] = sign | roundToEven(Math.abs(floats[i]) * 2 ** 24); // a subnormal counts units of 2^-24
    } else {
      into[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 | ((magnitude >>> 13) & 0x3ff) : 0x7c00);
    }
  }
}

/** The bits of 32-bit floats in half precision. */
export function toFloat16(floats: Float32Array): Uint16Array {
  const halves = new Uint16Array(floats.length);
  float32ToFloat16(floats, halves);
  return halves;
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

