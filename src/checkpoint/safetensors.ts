/** The safetensors format (https://huggingface.co/docs/safetensors): what other folders import of it. */
export type { SafetensorsDtype } from "./dtypes.js";
export { openSafetensors } from "./safetensors-read.js";
export { writeSafetensors, type TensorData, type TensorValues } from "./safetensors-write.js";
export type { TensorInfo, WeightSource } from "./weight-source.js";
