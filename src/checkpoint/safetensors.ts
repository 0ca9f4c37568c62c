/** The safetensors format (https://huggingface.co/docs/safetensors): what other folders import of it. */
export type { SafetensorsDtype } from "./dtypes.js";
export type { TensorInfo } from "./safetensors-header.js";
export { openSafetensors, type WeightSource } from "./safetensors-read.js";
export { writeSafetensors, type TensorData, type TensorValues } from "./safetensors-write.js";
