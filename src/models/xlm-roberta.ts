/** XLM-RoBERTa (Conneau et al. 2020): RoBERTa on a hundred languages; reference implementation: transformers' modeling_xlm_roberta. */
import { robertaAs } from "./roberta.js";

export const xlmRoberta = robertaAs("xlm-roberta", "XLMRobertaForQuestionAnswering");
