/** The model card: README.md with the YAML front matter that the Hugging Face Hub reads (huggingface.co/docs/hub/model-cards). */
export interface ModelCardFacts {
  /** Hub name or folder the training started from. */
  baseModel: string;
  license?: string;
  languages: string[];
  /** transformers' pipeline tag, e.g. question-answering. */
  pipelineTag: string;
  /** Names of the data sets or files, training first. */
  datasets: string[];
  evaluationDataset?: string;
  /** Task name as people read it, e.g. Extractive question answering. */
  taskName: string;
  trainSamples: number;
  evaluationSamples: number;
  parameters: number;
}
