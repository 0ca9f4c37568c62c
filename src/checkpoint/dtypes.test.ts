import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16, narrowFromFloat32, widenToFloat32 } from "./dtypes.js";

const everyBitPattern = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

function halfOf(value: number): number {
  const into = new Uint16Array(1);
  float32ToFloat16(new Float32Array([value]), into);
  return into[0];
}

/** The nearest value of a sorted list of a format's values, the one with the even bit pattern in a tie: what rounding means, slowly. */
function nearest(value: number, sorted: { value: number; bits: number }[]): number {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle].value <= value) low = middle;
    else high = middle;
  }
  const [below, above] = [sorted[low], sorted[high]];
  const [down, up] = [value - below.value, above.value - value];
  if (down === up) return below.bits % 2 === 0 ? below.bits : above.bits;
  return down < up ? below.bits : above.bits;
}

/** The positive finite values of a format, and what would come after the largest: rounding to it gives infinity. */
function valuesOf(
  widen: (bits: Uint16Array, into: Float32Array) => void,
  infinity: number,
  beyond: number,
): { value: number; bits: number }[] {
  const bits = everyBitPattern.subarray(0, infinity);
  const values = new Float32Array(bits.length);
  widen(bits, values);
  return [...values].map((value, i) => ({ value, bits: i })).concat({ value: beyond, bits: infinity });
}

describe("half precision", () => {
  test("every value comes back from its 32-bit float", () => {
    const floats = new Float32Array(65536);
    float16ToFloat32(everyBitPattern, floats);
    const halves = new Uint16Array(65536);
    float32ToFloat16(floats, halves);
    const isNan = (bits: number): boolean => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
    for (let bits = 0; bits < 65536; bits++) {
      if (isNan(bits)) expect(isNan(halves[bits]) && Number.isNaN(floats[bits])).toBe(true);
      else expect(halves[bits]).toBe(bits);
    }
  });

  test("known values", () => {
    const known: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [65519.99, 0x7bff],
      [65520, 0x7c00],
      [1e30, 0x7c00],
      [-Infinity, 0xfc00],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [2 ** -25 * 1.0001, 1],
      [2 ** -14, 0x0400],
      [2 ** -14 - 2 ** -26, 0x0400],
      [1 / 3, 0x3555],
      [1e-40, 0],
    ];
    for (const [value, bits] of known) expect([value, halfOf(value)]).toEqual([value, bits]);
  });

  test("rounds to the nearest, ties to even", () => {
    const sorted = valuesOf(float16ToFloat32, 0x7c00, 65536);
    const near = fc
      .tuple(fc.nat(0x7bff), fc.constantFrom(0, 0.25, 0.5, 0.5000001, 0.75))
      .map(([i, part]) => sorted[i].value + part * (sorted[i + 1].value - sorted[i].value));
    fc.assert(
      fc.property(fc.oneof(near, fc.float({ min: 0, max: 65535, noNaN: true })), (value) => {
        const float = Math.fround(Math.abs(value));
        expect(halfOf(float)).toBe(nearest(float, sorted));
        expect(halfOf(-float)).toBe(nearest(float, sorted) | 0x8000);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("bfloat16", () => {
  test("rounds to the nearest, ties to even, and keeps NaN", () => {
    const sorted = valuesOf(bfloat16ToFloat32, 0x7f80, 2 ** 128);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }),
          fc.nat(0x7f7e).map((i) => (sorted[i].value + sorted[i + 1].value) / 2),
        ),
        (value) => {
          const into = new Uint16Array(1);
          float32ToBfloat16(new Float32Array([value]), into);
          expect(into[0]).toBe(nearest(Math.abs(Math.fround(value)), sorted));
        },
      ),
      { numRuns: 2000 },
    );
    const into = new Uint16Array(3);
    float32ToBfloat16(new Float32Array([NaN, Infinity, -Infinity]), into);
    expect((into[0] & 0x7fff) > 0x7f80).toBe(true);
    expect([into[1], into[2]]).toEqual([0x7f80, 0xff80]);
  });
});

test("22 million values convert in well under a second", () => {
  const floats = Float32Array.from({ length: 22_000_000 }, (_, i) => ((i % 2000) - 1000) / 5000);
  for (const dtype of ["F16", "BF16"] as const) {
    const seconds = [1, 2, 3].map(() => {
      const start = performance.now();
      widenToFloat32(dtype, narrowFromFloat32(floats, dtype), floats);
      return (performance.now() - start) / 1000;
    });
    expect(Math.min(...seconds)).toBeLessThan(1); // there and back
  }
});
