/** The engine on its own (`lectern/engine`): graphs of tensors, their gradients, and the runtime that computes them. */
export * from "./graph/dimension.js";
export { Graph } from "./graph/graph.js";
export {
  type Attribute,
  type Attributes,
  type ConstantData,
  type DataType,
  input,
  Node,
  type Op,
  type TensorType,
  Value,
  withScope,
} from "./graph/value.js";
export type { OnnxAttribute, OnnxEmitter } from "./graph/onnx-emitter.js";
export { writeOnnx, type ExternalData, type OnnxOptions } from "./graph/onnx-writer.js";
export { type OnnxHeader, type OnnxValue, readOnnxHeader } from "./graph/onnx-header.js";
export { foldForInference, fuseForInference } from "./fusions/inference.js";
export { embedParameters } from "./block/embed-parameters.js";
export { checkOp } from "./check-op.js";
export { backward, type Seed } from "./autodiff/backward.js";
export { expandComposites, mergeDuplicates, rewriteGraph } from "./graph/rewrite.js";
export * from "./ops/index.js";
export * from "./runtime/runtime.js";
export { type Lane, type Lanes, openLanes, type RunOnLane } from "./runtime/lanes.js";
export { nativeRuntime, type NativeOptions } from "./runtime/native/native-runtime.js";
export * from "./block/block.js";
export { differentiate } from "./block/differentiate.js";
export { clipFactor, createGradientNorm, type GradientNorm } from "./optimizers/gradient-norm.js";
export { createOptimizer, type Optimizer, type OptimizerSettings, type StateTensor, type UpdateOptions } from "./optimizers/optimizer.js";
export { createParameterStore, type ParameterGroup, type ParameterStore, type StoredParameter } from "./block/parameter-store.js";
export type { MicroBatch } from "./block/training-commands.js";
export { createTrainingExecutor, type TrainingExecutor } from "./block/training-executor.js";
export type { ResidualPolicy } from "./autodiff/residuals.js";
export { createInferenceExecutor, type InferenceExecutor, joinNetwork } from "./block/inference-executor.js";
