/** Every verb, in the order that the help shows them. A new verb is one file and one line here. */
import { registerConvert } from "./convert.js";
import { registerDoctor } from "./doctor.js";
import { registerEvaluate } from "./evaluate.js";
import { registerInspect } from "./inspect.js";
import { registerParity } from "./parity.js";
import type { RegisterVerb } from "./program.js";
import { registerPull } from "./pull.js";
import { registerQuickstart } from "./quickstart.js";
import { registerScore } from "./score.js";
import { registerTrain } from "./train.js";

export const verbs: readonly RegisterVerb[] = [
  registerQuickstart,
  registerTrain,
  registerEvaluate,
  registerScore,
  registerInspect,
  registerPull,
  registerConvert,
  registerDoctor,
  registerParity,
];
