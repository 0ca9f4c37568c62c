/**
 * Dimensions of tensors: a number where it is known, a polynomial in named symbols where it is not (`batch`, `seq`,
 * `batch*seq + 1`). Kept in one canonical form, so that two ways of computing the same size compare as equal while the
 * graph is built, before anything runs.
 */
export type Dimension = number | SymbolicDimension;
export type Shape = readonly Dimension[];
/** What each symbol stands for in one run. */
export type Bindings = Readonly<Record<string, number>>;

/** A factor that cannot be split further: a symbol, or the floor of a quotient. */
type Atom = { readonly key: string; readonly symbol: string } | { readonly key: string; readonly quotient: { dividend: Dimension; divisor: number } };
/** coefficient · atom · atom · …; no atoms for the constant term. */
interface Term {
  readonly coefficient: number;
  readonly atoms: readonly Atom[];
}

export class SymbolicDimension {
  readonly key: string;
  constructor(readonly terms: readonly Term[]) {
    this.key = terms.map(printTerm).join(" + ");
  }
  toString(): string {
    return this.key;
  }
}

/** A named size, bound to a number when a graph runs. */
export function symbol(name: string): SymbolicDimension {
  return new SymbolicDimension([{ coefficient: 1, atoms: [{ key: name, symbol: name }] }]);
}

export function addDimensions(...dimensions: Dimension[]): Dimension {
  return normalise(dimensions.flatMap(termsOf));
}

export function subtractDimensions(a: Dimension, b: Dimension): Dimension {
  return addDimensions(a, multiplyDimensions(b, -1));
}

export function multiplyDimensions(...dimensions: Dimension[]): Dimension {
  return dimensions.reduce<Dimension>(
    (product, factor) =>
      normalise(
        termsOf(product).flatMap((a) =>
          termsOf(factor).map((b) => ({ coefficient: a.coefficient * b.coefficient, atoms: [...a.atoms, ...b.atoms] })),
        ),
      ),
    1,
  );
}

/** ⌊dividend / divisor⌋; terms that divide stay a polynomial, the floor of the rest becomes an atom of its own. */
export function floorDivide(dividend: Dimension, divisor: number): Dimension {
  if (typeof dividend === "number") return Math.floor(dividend / divisor);
  const whole = dividend.terms.filter((term) => term.coefficient % divisor === 0);
  const rest = normalise(dividend.terms.filter((term) => term.coefficient % divisor !== 0));
  // Inside the model integers are divided towards 0, so what is left to divide there must not be negative.
  if (whole.length > 0 && (typeof rest === "number" || rest.terms.every((term) => term.coefficient > 0))) {
    const quotient = normalise(whole.map((term) => ({ ...term, coefficient: term.coefficient / divisor })));
    return addDimensions(quotient, floorDivide(rest, divisor));
  }
  const key = `floor((${dividend.key})/${divisor})`;
  return new SymbolicDimension([{ coefficient: 1, atoms: [{ key, quotient: { dividend, divisor } }] }]);
}

/** ⌈dividend / divisor⌉ */
export function ceilDivide(dividend: Dimension, divisor: number): Dimension {
  return floorDivide(addDimensions(dividend, divisor - 1), divisor);
}

/** a / b where b divides a term by term (as in un-flattening a shape), else undefined. */
export function divideExactly(a: Dimension, b: Dimension): Dimension | undefined {
  if (sameDimension(a, b)) return 1;
  const divisors = termsOf(b);
  if (divisors.length !== 1) return undefined;
  const divisor = divisors[0];
  const terms: Term[] = [];
  for (const term of termsOf(a)) {
    const atoms = [...term.atoms];
    for (const atom of divisor.atoms) {
      const at = atoms.findIndex((candidate) => candidate.key === atom.key);
      if (at < 0) return undefined;
      atoms.splice(at, 1);
    }
    if (term.coefficient % divisor.coefficient !== 0) return undefined;
    terms.push({ coefficient: term.coefficient / divisor.coefficient, atoms });
  }
  return normalise(terms);
}

export function sameDimension(a: Dimension, b: Dimension): boolean {
  return String(a) === String(b);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => sameDimension(dimension, b[axis]));
}

export function elementCount(shape: Shape): Dimension {
  return multiplyDimensions(...shape);
}

export function printShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** The symbols a dimension is made of. */
export function symbolsOf(dimension: Dimension): string[] {
  if (typeof dimension === "number") return [];
  return dimension.terms.flatMap((term) =>
    term.atoms.flatMap((atom) => ("symbol" in atom ? [atom.symbol] : symbolsOf(atom.quotient.dividend))),
  );
}

export function evaluateDimension(dimension: Dimension, bindings: Bindings): number {
  if (typeof dimension === "number") return dimension;
  let sum = 0;
  for (const term of dimension.terms) {
    let product = term.coefficient;
    for (const atom of term.atoms) {
      if ("symbol" in atom) {
        const value = bindings[atom.symbol];
        if (value === undefined) throw new Error(`internal: no binding for dimension ${atom.symbol} (bound: ${Object.keys(bindings).join(", ")})`);
        product *= value;
      } else product *= Math.floor(evaluateDimension(atom.quotient.dividend, bindings) / atom.quotient.divisor);
    }
    sum += product;
  }
  return sum;
}

export function evaluateShape(shape: Shape, bindings: Bindings): number[] {
  return shape.map((dimension) => evaluateDimension(dimension, bindings));
}

function termsOf(dimension: Dimension): readonly Term[] {
  if (typeof dimension !== "number") return dimension.terms;
  return dimension === 0 ? [] : [{ coefficient: dimension, atoms: [] }];
}

function normalise(terms: readonly Term[]): Dimension {
  const merged = new Map<string, Term>();
  for (const { coefficient, atoms } of terms) {
    const sorted = [...atoms].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const key = sorted.map((atom) => atom.key).join("*");
    merged.set(key, { coefficient: (merged.get(key)?.coefficient ?? 0) + coefficient, atoms: sorted });
  }
  const kept = [...merged.entries()].filter(([, term]) => term.coefficient !== 0).sort(([a], [b]) => (a < b ? 1 : -1));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0][1].atoms.length === 0) return kept[0][1].coefficient;
  return new SymbolicDimension(kept.map(([, term]) => term));
}

function printTerm({ coefficient, atoms }: Term): string {
  const names = atoms.map((atom) => atom.key);
  return (coefficient === 1 && names.length > 0 ? names : [String(coefficient), ...names]).join("*");
}
