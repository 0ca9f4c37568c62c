/** The engine on its own (`lectern/engine`): graphs of tensors, their gradients, and the runtime that computes them. */
export * from "./graph/dimension.js";
export { Graph } from "./graph/graph.js";
export { input, type DataType, type TensorType, Value, withScope } from "./graph/value.js";
export { writeOnnx, type OnnxOptions } from "./graph/onnx-writer.js";
export { backward, type Seed } from "./autodiff/backward.js";
export { expandComposites, mergeDuplicates, rewriteGraph } from "./graph/rewrite.js";
export * from "./ops/index.js";
export * from "./runtime/runtime.js";
export { nativeRuntime, type NativeOptions } from "./runtime/native/native-runtime.js";
export * from "./block/block.js";
export { differentiate } from "./block/differentiate.js";
export { clipFactor, createGradientNorm, type GradientNorm } from "./optimizers/gradient-norm.js";
export { createOptimizer, type Optimizer, type OptimizerSettings, type StateTensor, type UpdateOptions } from "./optimizers/optimizer.js";
export { createParameterStore, type ParameterGroup, type ParameterStore, type StoredParameter } from "./block/parameter-store.js";
export { createTrainingExecutor, type MicroBatch, type TrainingExecutor } from "./block/training-executor.js";
export type { ResidualPolicy } from "./autodiff/residuals.js";
export { createInferenceExecutor, type InferenceExecutor, joinNetwork } from "./block/inference-executor.js";
