/** Every op, one line a concept. */
export { add, addAll, clamp, div, maximum, minimum, mul, pow, sub } from "./arithmetic.js";
export { gelu, geluTanh, silu } from "./activations.js";
export { attention } from "./attention.js";
export { and, equal, greater, greaterOrEqual, less, lessOrEqual, not, or } from "./comparison.js";
export { constant, constantOf, constantView, dimensionValue, iota, type Operand, scalar } from "./constant.js";
export { type CrossEntropy, crossEntropy, ignoredLabel, labelLogProbability } from "./cross-entropy.js";
export { cumulativeSum } from "./cumulative-sum.js";
export { embedding } from "./embedding.js";
export {
  broadcastShapes,
  type Cost,
  type DefinedOp,
  defineOp,
  type GradientContext,
  type OpDefinition,
  requireRank,
  requireSame,
  requireType,
  resolveAxis,
  ShapeError,
} from "./define-op.js";
export { abs, cos, erf, exp, log, neg, reciprocal, relu, sigmoid, sin, sqrt, square, tanh } from "./elementwise.js";
export { gather, scatterAdd, zeros } from "./gather.js";
export { gatherAlong, scatterAddAlong } from "./gather-along.js";
export { causalMask, lengthMask, lowestFloat32, maskBias, paddingScores, windowMask } from "./masks.js";
export { flattenRows, linear, matmul } from "./matmul.js";
export { layerNorm, rmsNorm } from "./normalisation.js";
export { dynamicallyQuantised, type Quantised, quantised, quantisedLinear } from "./quantise.js";
export { logSumExp, max, mean, sum, sumOfSquares } from "./reduction.js";
export { oneHot } from "./one-hot.js";
export { type SampleCase, type SampleRandom, type SampleTensor, tensorOf } from "./sample.js";
export { cast, where } from "./select.js";
export { concat, expand, pad, reshape, slice, split, transpose, transposed } from "./shape.js";
export { logSoftmax, softmax } from "./softmax.js";
