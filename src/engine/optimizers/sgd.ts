/** Stochastic gradient descent with momentum, with the arithmetic of torch.optim.SGD (no dampening, no Nesterov step). */
import { add, mul, sub } from "../ops/arithmetic.js";
import type { FlatRule } from "./flat-optimizer.js";

export interface SgdSettings {
  /** How much of the last step's direction is kept; 0. */
  readonly momentum?: number;
  /** The share of a parameter that is added to its gradient; 0. */
  readonly weightDecay?: number;
}

/** g ← g + λp, b ← μb + g, p ← p − ηb */
export function sgd({ momentum = 0, weightDecay = 0 }: SgdSettings): FlatRule {
  return {
    name: "sgd",
    states: momentum === 0 ? [] : ["momentum_buffer"],
    decays: weightDecay !== 0,
    scalars: ({ rate, gradientScale }) => ({ gradientScale, rate }),
    build: ({ parameter, gradient, states: [buffer], scalars, decay }) => {
      const scaled = mul(gradient, scalars.gradientScale);
      const g = decay ? add(scaled, mul(parameter, weightDecay)) : scaled;
      const direction = buffer === undefined ? g : add(mul(buffer, momentum), g);
      return { parameter: sub(parameter, mul(direction, scalars.rate)), states: buffer === undefined ? [] : [direction] };
    },
  };
}
