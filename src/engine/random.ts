/**
 * Reproducible random numbers: xoshiro128** (Blackman and Vigna 2018), its state filled by SplitMix32 from a seed and a stream number.
 * Everything in 32-bit integer arithmetic, so a seed gives the same numbers on every machine and version of Node. Not for secrets.
 */

export interface RandomGenerator {
  /** An integer from 0 to 2³² − 1. */
  uint32(): number;
  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number;
  /** An integer from 0 to n − 1, each equally likely; n from 1 to 2³². */
  below(n: number): number;
  /** Standard normal (Box and Muller 1958). */
  normal(): number;
}

/**
 * A generator that depends on its arguments only.
 * @param stream draws for different purposes from one seed are independent when their streams differ
 * @example
 * const random = randomGenerator(42);
 * random.below(6); // a die
 */
export function randomGenerator(seed: number, stream = 0): RandomGenerator {
  let mixer = fold(seed);
  const splitMix = () => {
    mixer = (mixer + 0x9e3779b9) | 0;
    let z = mixer;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  };
  mixer = splitMix() ^ fold(stream);
  let [a, b, c, d] = [splitMix(), splitMix(), splitMix(), splitMix()];
  if ((a | b | c | d) === 0) a = 1; // the one state that xoshiro never leaves

  const uint32 = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result >>> 0;
  };
  const uniform = () => ((uint32() >>> 5) * 0x4000000 + (uint32() >>> 6)) / 0x20000000000000;
  return {
    uint32,
    uniform,
    below: (n) => {
      const fair = 0x100000000 - (0x100000000 % n); // draws from here on would favour the small numbers
      let draw = uint32();
      while (draw >= fair) draw = uint32();
      return draw % n;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/**
 * The numbers 0 … n − 1 in an order that depends on the seed (and stream) only (Fisher and Yates 1938).
 * @example
 * const shuffled = Array.from(permutation(examples.length, 42), (i) => examples[i]);
 */
export function permutation(n: number, seed: number, stream = 0): Int32Array {
  const random = randomGenerator(seed, stream);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const rotate = (x: number, bits: number) => (x << bits) | (x >>> (32 - bits));

/** All 53 bits of a seed count, not only the low 32. */
const fold = (seed: number) => (seed | 0) ^ Math.imul(Math.floor(seed / 0x100000000) | 0, 0x9e3779b1);
