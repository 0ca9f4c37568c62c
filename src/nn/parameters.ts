/** Declarations of the parameters that layers use, by the name of the layer inside its block. */
import type { ParameterDeclaration } from "../engine/block/block.js";

export type Declarations = Record<string, ParameterDeclaration>;

/** `name.weight` [out, in] and, where there is one, `name.bias` [out]. */
export function denseParameters(name: string, inputs: number, outputs: number, deviation: number, bias = true): Declarations {
  return {
    [`${name}.weight`]: { shape: [outputs, inputs], initialise: { kind: "normal", deviation }, decay: true },
    ...(bias && { [`${name}.bias`]: { shape: [outputs], initialise: { kind: "zeros" }, decay: false } as const }),
  };
}

/** `name.weight` and, where there is one, `name.bias`, both [width], of a layer normalisation. */
export function normParameters(name: string, width: number, bias = true): Declarations {
  return {
    [`${name}.weight`]: { shape: [width], initialise: { kind: "ones" }, decay: false },
    ...(bias && { [`${name}.bias`]: { shape: [width], initialise: { kind: "zeros" }, decay: false } as const }),
  };
}

/** `name.weight` [rows, width], a table of embeddings. */
export function embeddingParameters(name: string, rows: number, width: number, deviation: number): Declarations {
  return { [`${name}.weight`]: { shape: [rows, width], initialise: { kind: "normal", deviation }, decay: true } };
}

/** The checkpoint's names of a block's parameters: `names` maps each layer of the block to its path in the checkpoint. */
export function checkpointNames(declarations: Declarations, prefix: string, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.keys(declarations).map((local) => {
      const dot = local.lastIndexOf(".");
      const layer = local.slice(0, dot);
      if (names[layer] === undefined) throw new Error(`internal: no checkpoint name for ${local}`);
      return [local, `${prefix}${names[layer]}${local.slice(dot)}`];
    }),
  );
}
