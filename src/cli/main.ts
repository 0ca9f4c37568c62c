#!/usr/bin/env node
/** `lectern VERB …`: one file a verb, registered here in the order that the help shows them. */
import { registerConvert } from "./convert.js";
import { registerDoctor } from "./doctor.js";
import { registerEvaluate } from "./evaluate.js";
import { registerInspect } from "./inspect.js";
import { registerParity } from "./parity.js";
import { createProgram, runProgram } from "./program.js";
import { registerPull } from "./pull.js";
import { registerQuickstart } from "./quickstart.js";
import { registerScore } from "./score.js";
import { registerTrain } from "./train.js";

const verbs = [
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

await runProgram(createProgram(verbs), process.argv.slice(2));
