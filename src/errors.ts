/**
 * Every error a user can meet, by a stable code. An error says what was expected, what came and what to do next;
 * docs/errors.md lists the same codes, and a test proves that the two agree.
 */
export const errorCatalogue = {
  ARGUMENT_MISSING: "A verb was called without saying what to do.",
  PARITY_CASE_INVALID: "A folder is not a parity case as docs/parity.md describes it.",
  CHECKPOINT_MISMATCH: "A checkpoint was written by a run with other settings.",
  NOTHING_TO_TRAIN: "Every parameter is frozen.",
  NOTHING_FROZEN: "A pattern of frozen_parameters matches no parameter.",
  SEQUENCE_TOO_LONG: "max_length is longer than the model's positions.",
  VOCABULARY_MISMATCH: "The tokenizer has ids that the model has no embedding for.",
  WEIGHT_SHAPE_MISMATCH: "A tensor of the checkpoint has another shape than config.json implies.",
  WEIGHTS_UNMATCHED: "A checkpoint lacks weights of the encoder that its config.json describes, or holds it in two places.",
  UNKNOWN_MODEL_TYPE: "The model_type of config.json names an architecture that is not supported.",
  BAD_MODEL_CONFIG: "A key of config.json is missing or has a value that the architecture cannot use.",
  NO_GRADIENT: "A trainable value is reached only through an op that has no gradient.",
  NATIVE_LIBRARY_MISSING: "ONNX Runtime has no shared library for this platform, or it is too old.",
  FILE_MISSING: "A file or folder that was named does not exist.",
  FILE_NOT_READABLE: "A file exists but cannot be read.",
  FILE_TOO_LARGE: "A file is larger than any file of its kind can be.",
  FILE_OUTSIDE_FOLDER: "A file of a model folder is a link that leads out of the folder.",
  FILE_NOT_WRITABLE: "A file or folder cannot be written where it was asked for.",
  DISK_FULL: "The disk or the quota is full; what was there before is unchanged.",
  SAFETENSORS_CORRUPT: "A safetensors file is truncated, damaged or of an unknown form.",
  TORCH_CORRUPT: "A PyTorch checkpoint (pytorch_model.bin) is truncated, damaged or of an unknown form.",
  TORCH_REFUSED: "A PyTorch checkpoint asks for more than tensors: it is not read, and nothing of it was run.",
  CHECKPOINT_INDEX_CORRUPT: "The index of a sharded checkpoint is damaged or points outside its folder.",
  TENSOR_MISSING: "A checkpoint has no tensor of that name.",
  TENSOR_DTYPE: "A tensor's element type does not fit its use.",
  TENSOR_TOO_LARGE: "A tensor is larger than the machine's memory.",
  TENSOR_OVERFLOW: "A value is too large for the element type it should be converted to.",
  MODEL_FOLDER_INCOMPLETE: "A model folder lacks its config.json or its weights.",
  MODEL_CONFIG_CORRUPT: "A model's config.json is not a JSON object.",
  TOKENIZER_MISSING: "A model folder has no tokenizer that can be read.",
  TOKENIZER_CORRUPT: "A tokenizer file is damaged or of an unknown form.",
  TOKENIZER_WINDOW: "A window length or stride leaves no place for the text.",
  TOO_MANY_TOKENS: "Texts make more windows than are allowed.",
  TEXT_TOO_LONG: "A text is longer than can be read in one piece.",
  SERVE_MODEL_NAME: "A model to be served has a name that cannot be used, or one that is used twice.",
  SERVE_MEMORY: "A model needs more memory than the server may use.",
  SERVE_ADDRESS: "The server cannot listen on the host and port it was given.",
  SERVE_ALLOWED: "A host or an origin that the server should allow is none.",
  API_KEYS: "A file of API keys is damaged, holds no key, or already has a key of that name.",
  FOLDER_NOT_EMPTY: "A folder that should be made already holds files.",
  HUB_NAME: "A model's name is neither a folder nor a name on the hub.",
  HUB_OFFLINE: "The model is not in the local cache and the hub may not be asked.",
  HUB_UNREACHABLE: "The hub, or the network, did not answer.",
  HUB_NOT_FOUND: "The hub has no such model, revision or file.",
  HUB_UNAUTHORIZED: "The hub wants a token, or the token is not valid.",
  HUB_FORBIDDEN: "The hub refuses this model to this token (a licence to accept, or a private model).",
  HUB_NOTHING_ASKED: "A pattern of further files to send to the hub fits none of the folder.",
  HUB_CHECKSUM: "A downloaded file does not have the checksum the hub promised.",
  HUB_NO_WEIGHTS: "The model on the hub has no weights in a form that can be read.",
  HUB_REFUSED: "The hub does not take what is sent to it: correct what the error names.",
  HUB_FILE_CHANGED: "A file changed while it was uploaded: wait until whatever writes it is done, then push again.",
  HUB_SPLIT: "A data set on the hub has no such configuration or split, or several to choose from: name one that the error lists.",
  HUB_NO_DATA: "A data set on the hub has no file of a form that is read, and the hub has not converted it to parquet.",
  RECIPE_SYNTAX: "A recipe is not a YAML mapping: correct the line that the error names.",
  RECIPE_UNKNOWN_KEY: "A recipe or an override has a key that does not exist: take the nearest match, or see docs/recipes.md.",
  RECIPE_UNSUPPORTED: "A recipe asks for something that transformers has and Lectern has not: write what the error says instead.",
  RECIPE_VALUE: "A recipe's value is missing, or of the wrong type or range: correct it as the error says.",
  RECIPE_CONTRADICTION: "Two settings of a recipe exclude each other: change the one that the error names.",
  SWEEP_FILE: "The file of a sweep has a key or a value that a sweep has not: see docs/sweeping.md.",
  SWEEP_PARAMETER: "A setting to vary is not a range or a list of values, or there is none.",
  OVERRIDE_SYNTAX: "An override on the command line is not of the form key=value.",
  CHECKPOINT_NOT_FOUND: "There is no whole checkpoint to resume from: name another folder, or train without resume_from_checkpoint.",
  CHECKPOINT_INCOMPLETE: "The checkpoint that was named lacks a file, or a file is not as it was written: resume from another one.",
  FOLDER_HELD: "Another process is writing into the folder: wait for it or stop it, or choose another folder.",
  OUTPUT_IN_USE: "The output folder already holds a run: resume it, choose another output_dir, or allow overwriting it.",
  EXTENSION_INVALID: "A model, an op or a metric that a program adds has a name that is taken, or is not of the form that docs/extending.md shows.",
  IMPORT_FAILED: "A module that --import names cannot be imported: correct it where its message says.",
  METRIC_VALUE: "A metric that a program added gave something that is not a finite number.",
  METRIC_UNKNOWN: "The metric that should choose the best model is not among those that the evaluation gives.",
  LOSS_NOT_FINITE: "The loss or the gradient became NaN or infinite: lower the learning rate or warm up longer, and resume from the last checkpoint.",
  USAGE: "The command line could not be understood: see lectern VERB --help.",
  BENCH_PEER_MISSING: "The benchmark's peer, a Python with torch, transformers and accelerate, is not set up: see bench/README.md.",
  BENCH_PROCESS_FAILED: "A program that the benchmark runs failed, or did not print its figures: read what it printed, and run it by itself.",
  DATA_SYNTAX: "A data file is damaged or not in the format that it should be in.",
  DATA_FORM: "A data file is of a form that is not read: convert it as the error says.",
  DATA_COLUMNS: "A table or a row has no question or no context under a name that is known: name its columns.",
  DATA_FIELD: "A value in a data file is missing or of the wrong type: correct it at the place that the error names.",
  DATA_ANSWERS: "A question has no answer where it needs one.",
  DATA_BAD_ROWS: "More rows of a data file cannot be read than max_bad_rows allows.",
  DATA_ROWS_MISSING: "A recipe names rows that a program held in memory, and the program did not give them.",
  DATA_EMPTY: "The data has no question.",
  DATA_OPTION: "A setting for reading data or making features is out of range.",
  DATA_SPLIT: "The data cannot be split as asked.",
  NO_TRAINABLE_ANSWER: "No answer of the training data can be learnt: none was found in its context, or all were cut off.",
  ANSWER_OPTION: "An option of answering questions does not exist, or its value is out of range.",
  QUESTION_EMPTY: "A question has no text, or no context to look for its answer in.",
  PREDICTIONS_CORRUPT: "A file of predictions or no-answer scores is not a JSON object of the right values.",
  PREDICTIONS_IN_USE: "The output folder holds predictions of another model, other data or other options: choose another, or start over.",
  ONNX_FILE_UNKNOWN: "A model folder has no ONNX file of the name that was given.",
  ONNX_CORRUPT: "An ONNX file is damaged, lacks its external data, or is not one that ONNX Runtime can run.",
  ONNX_RUN: "An ONNX file was loaded, but fails when it is run: on long windows, on several at once, or on any.",
  ONNX_NOT_A_READER: "An ONNX file has other inputs or outputs than an extractive reader.",
  EXPORT_TOLERANCE: "An exported model differs from its original by more than the tolerance: nothing was written.",
  EXPORT_SOURCE: "The model cannot be exported: it has no head, or is itself an export.",
  CALIBRATION_MISSING: "Static quantisation was asked for without data to calibrate on.",
  PREDICTIONS_MISSING: "Questions lack a prediction or a no-answer score.",
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export interface ErrorDetail {
  /** One sentence: what is wrong, with the name of the thing. */
  message: string;
  expected?: string;
  received?: string;
  /** The next thing the person can do. */
  next?: string;
}

/** A user's mistake (bad file, bad recipe, bad data): printed without a stack, exit code 1. */
export class LecternError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail, options?: { cause?: unknown }) {
    super(render(detail), options);
    this.name = "LecternError";
    this.code = code;
    this.detail = detail;
  }
}

/** A mistake of ours: the message starts with `internal:` and asks for a report. */
export class InternalError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(`internal: ${message}`, options);
    this.name = "InternalError";
  }
}

function render(detail: ErrorDetail): string {
  const lines = [detail.message];
  if (detail.expected !== undefined) lines.push(`  expected: ${detail.expected}`);
  if (detail.received !== undefined) lines.push(`  received: ${detail.received}`);
  if (detail.next !== undefined) lines.push(`  next: ${detail.next}`);
  return lines.join("\n");
}
