/** AdamW (Loshchilov & Hutter 2019, decoupled weight decay) with the arithmetic of torch.optim.AdamW. */
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { sqrt, square } from "../ops/elementwise.js";
import type { FlatRule } from "./flat-optimizer.js";

export interface AdamWSettings {
  /** Decay of the mean of gradients; 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients; 0.999. */
  readonly beta2?: number;
  /** Added to the denominator; 1e-8. */
  readonly epsilon?: number;
  /** The share of a parameter that a step of rate 1 takes away; 0. */
  readonly weightDecay?: number;
}

/**
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← (1 − ηλ)p − η·m̂/(√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ). Multiplying the last
 * fraction out by c = √(1−β₂ᵗ) leaves one division: η·c/(1−β₁ᵗ) · m/(√v + c·ε).
 */
export function adamW({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamWSettings): FlatRule {
  return {
    name: "adamw",
    states: ["exp_avg", "exp_avg_sq"],
    decays: weightDecay !== 0,
    scalars: ({ rate, gradientScale, step }) => {
      const correction = Math.sqrt(1 - beta2 ** step);
      return {
        gradientScale,
        stepSize: (rate * correction) / (1 - beta1 ** step),
        epsilon: epsilon * correction,
        kept: 1 - rate * weightDecay,
      };
    },
    build: ({ parameter, gradient, states: [mean, variance], scalars, decay }) => {
      const g = mul(gradient, scalars.gradientScale);
      const m = add(mul(mean, beta1), mul(g, 1 - beta1));
      const v = add(mul(variance, beta2), mul(square(g), 1 - beta2));
      const change = mul(div(m, add(sqrt(v), scalars.epsilon)), scalars.stepSize);
      return { parameter: sub(decay ? mul(parameter, scalars.kept) : parameter, change), states: [m, v] };
    },
  };
}
