/**
 * Sobol's sequence (1967): points that fill a cube more evenly than random ones, however many are taken. Direction numbers are Joe and Kuo's
 * (new-joe-kuo-6, 2008), the order is Antonov and Saleev's Gray code (1979), as in torch's SobolEngine, with which the tests compare.
 */
import { randomGenerator } from "../../engine/random.js";

/** Of each dimension after the first: the degree of its primitive polynomial, its inner coefficients as bits, and its first direction numbers. */
const dimensions: readonly (readonly [degree: number, coefficients: number, initial: readonly number[]])[] = [
  [1, 0, [1]],
  [2, 1, [1, 3]],
  [3, 1, [1, 3, 1]],
  [3, 2, [1, 1, 1]],
  [4, 1, [1, 1, 3, 3]],
  [4, 4, [1, 3, 5, 13]],
  [5, 2, [1, 1, 5, 5, 17]],
  [5, 4, [1, 1, 5, 5, 5]],
  [5, 7, [1, 1, 7, 11, 19]],
  [5, 11, [1, 1, 5, 1, 1]],
  [5, 13, [1, 1, 1, 3, 11]],
  [5, 14, [1, 3, 5, 5, 31]],
  [6, 1, [1, 3, 3, 9, 7, 49]],
  [6, 13, [1, 1, 1, 15, 21, 21]],
  [6, 16, [1, 3, 1, 13, 27, 49]],
];
const bits = 32;
export const mostDimensions = dimensions.length + 1;

/** Direction numbers of a dimension, as 32-bit fractions. */
function directions(dimension: number): Uint32Array {
  const v = new Uint32Array(bits);
  if (dimension === 0) return v.map((_, i) => 2 ** (bits - 1 - i));
  const [degree, coefficients, initial] = dimensions[dimension - 1];
  for (let i = 0; i < bits; i++) {
    if (i < degree) v[i] = initial[i] * 2 ** (bits - 1 - i);
    else {
      v[i] = v[i - degree] ^ (v[i - degree] >>> degree);
      for (let k = 1; k < degree; k++) if ((coefficients >> (degree - 1 - k)) & 1) v[i] ^= v[i - k];
    }
  }
  return v;
}

/**
 * The point of a number, each coordinate in [0, 1).
 * @param index from 0; point 0 is the origin
 * @param seed moves all points alike by a random digital shift, which keeps their evenness; undefined: none
 * @example
 * sobolPoint(1, 2); // [0.5, 0.5]
 */
export function sobolPoint(index: number, dimensions: number, seed?: number): number[] {
  const gray = index ^ (index >>> 1);
  return Array.from({ length: dimensions }, (_, dimension) => {
    let x = seed === undefined ? 0 : randomGenerator(seed, dimension).uint32();
    directions(dimension).forEach((direction, bit) => {
      if ((gray >>> bit) & 1) x = (x ^ direction) >>> 0;
    });
    return x / 2 ** bits;
  });
}
