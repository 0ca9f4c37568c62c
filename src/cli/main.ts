#!/usr/bin/env node
/** `lectern VERB …`: one file a verb, registered here in the order that the help shows them. */
import { registerConvert } from "./convert.js";
import { createProgram, runProgram } from "./program.js";
import { registerParity } from "./parity.js";
import { registerPull } from "./pull.js";
import { registerTrain } from "./train.js";

const verbs = [registerTrain, registerPull, registerConvert, registerParity];

await runProgram(createProgram(verbs), process.argv.slice(2));
