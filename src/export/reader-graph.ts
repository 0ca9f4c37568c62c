/** A reader as one graph with its weights inside: the two logits of each token from the inputs that transformers and Optimum name. */
import { embedParameters, type Graph, joinNetwork } from "../engine/index.js";
import type { Reader } from "../tasks/extractive/reader.js";

/** input_ids, attention_mask and, where the model reads them, token_type_ids int64 [batch, seq] → start_logits, end_logits [batch, seq]. */
export function readerGraph({ network, store }: Reader): Graph {
  const joined = joinNetwork(network, ["start_logits", "end_logits"]);
  return embedParameters(joined, (name) => store.parameters.get(name)!.tensor.data as Float32Array);
}
