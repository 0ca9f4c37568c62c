/** CamemBERT (Martin et al. 2020): RoBERTa on French; reference implementation: transformers' modeling_camembert. */
import { robertaAs } from "./roberta.js";

export const camembert = robertaAs("camembert", "CamembertForQuestionAnswering");
