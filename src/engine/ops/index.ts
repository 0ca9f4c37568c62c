/** Every op, one line a concept. */
export { add, addAll, div, maximum, minimum, mul, pow, sub } from "./arithmetic.js";
export { gelu, geluTanh, silu } from "./activations.js";
export { attention } from "./attention.js";
export { and, equal, greater, greaterOrEqual, less, lessOrEqual, not, or } from "./comparison.js";
export { constant, dimensionValue, iota, type Operand, scalar } from "./constant.js";
export { defineOp, ShapeError } from "./define-op.js";
export { abs, cos, erf, exp, log, neg, reciprocal, relu, sigmoid, sin, sqrt, square, tanh } from "./elementwise.js";
export { gather, scatterAdd, zeros } from "./gather.js";
export { flattenRows, linear, matmul } from "./matmul.js";
export { layerNorm, rmsNorm } from "./normalisation.js";
export { max, mean, sum } from "./reduction.js";
export { cast, where } from "./select.js";
export { concat, expand, pad, reshape, slice, transpose, transposed } from "./shape.js";
export { logSoftmax, softmax } from "./softmax.js";
