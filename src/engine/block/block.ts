/**
 * Blocks: the pieces a model is made of. A block is a pure function from tensors and parameters to tensors, written once;
 * inference, training and export are derived from its trace. A network is a list of calls of blocks, wired by name: layers
 * of one kind share one block and so one compiled program, however many there are.
 */
import type { Shape } from "../graph/dimension.js";
import { input, type TensorType, type Value, withScope } from "../graph/value.js";
import { mul } from "../ops/arithmetic.js";

/** How a parameter that no checkpoint holds is filled. */
export type Initialiser = { readonly kind: "normal"; readonly deviation: number } | { readonly kind: "zeros" } | { readonly kind: "ones" };

export interface ParameterDeclaration {
  readonly shape: readonly number[];
  readonly initialise: Initialiser;
  /** Whether weight decay applies: not for biases and norms. */
  readonly decay: boolean;
}

/** One place in a block where elements are dropped; its mask is an input of the traced graph. */
export interface DropoutSite {
  readonly mask: Value;
  readonly rate: number;
}

export interface BlockScope {
  readonly inputs: Readonly<Record<string, Value>>;
  readonly parameters: Readonly<Record<string, Value>>;
  /** x with elements dropped at `rate` while training, x itself otherwise. The first axis of x is the sample; where its size is fixed, all samples share x and its mask. */
  dropout(x: Value, rate: number): Value;
  /** The mask alone (0 or 1/(1 − rate)), for ops that apply it themselves; undefined when nothing is dropped. */
  dropoutMask(shape: Shape, rate: number): Value | undefined;
}

export interface Block {
  /** What it is, for errors and profiles: `encoder layer`. */
  readonly kind: string;
  /** What the computation depends on beside the kind, if anything: blocks of equal kind and options are interchangeable. */
  readonly options?: unknown;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly parameters: Readonly<Record<string, ParameterDeclaration>>;
  readonly build: (scope: BlockScope) => Readonly<Record<string, Value>>;
}

/** Equal for blocks that may share compiled programs. */
export function blockKey({ kind, options }: Block): string {
  return `${kind} ${JSON.stringify(options)}`;
}

/** One use of a block: which tensors of the network it reads and makes, and which parameters it uses. */
export interface Call {
  readonly block: Block;
  /** Where in the model: `encoder.layer.3`. */
  readonly name: string;
  /** Block's name → network's name. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** Block's name → checkpoint's name; two calls that name the same one share it (tied weights). */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface Network {
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly calls: readonly Call[];
}

/** The graph of a block, before anything is derived from it. */
export interface BlockTrace {
  readonly inputs: ReadonlyMap<string, Value>;
  readonly parameters: ReadonlyMap<string, Value>;
  readonly dropouts: readonly DropoutSite[];
  readonly outputs: ReadonlyMap<string, Value>;
}

export interface TraceOptions {
  readonly training: boolean;
  /** Path shown in errors and profiles; the block's kind where left out. */
  readonly scope?: string;
  /** Values to use for the block's inputs and parameters; fresh graph inputs where left out. */
  readonly inputs?: ReadonlyMap<string, Value>;
  readonly parameters?: ReadonlyMap<string, Value>;
}

/** Runs a block's function on symbolic values. */
export function traceBlock(block: Block, options: TraceOptions): BlockTrace {
  return withScope(options.scope ?? block.kind, () => {
    const inputs = options.inputs ?? new Map(Object.entries(block.inputs).map(([name, type]) => [name, input(name, type.dtype, type.shape)]));
    const parameters =
      options.parameters ?? new Map(Object.entries(block.parameters).map(([name, { shape }]) => [name, input(`parameter ${name}`, "float32", shape)]));
    const dropouts: DropoutSite[] = [];
    const dropoutMask = (shape: Shape, rate: number) => {
      if (!options.training || rate === 0) return undefined;
      const mask = input(`mask ${dropouts.length}`, "float32", shape);
      dropouts.push({ mask, rate });
      return mask;
    };
    const outputs = block.build({
      inputs: Object.fromEntries(inputs),
      parameters: Object.fromEntries(parameters),
      dropoutMask,
      dropout: (x, rate) => {
        const mask = dropoutMask(x.shape, rate);
        return mask === undefined ? x : mul(x, mask);
      },
    });
    return { inputs, parameters, dropouts, outputs: new Map(Object.entries(outputs)) };
  });
}

/** Every parameter of a network by its checkpoint's name; a tied one once. */
export function networkParameters(network: Network): Map<string, ParameterDeclaration> {
  const parameters = new Map<string, ParameterDeclaration>();
  for (const call of network.calls) {
    for (const [local, declaration] of Object.entries(call.block.parameters)) {
      const name = call.parameters[local];
      if (name === undefined) throw new Error(`internal: call ${call.name} does not say which parameter ${local} is`);
      if (!parameters.has(name)) parameters.set(name, declaration);
    }
  }
  return parameters;
}
