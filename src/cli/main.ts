#!/usr/bin/env node
/** `lectern VERB …`: one file a verb, registered here in the order that the help shows them. */
import { createProgram, runProgram } from "./program.js";
import { registerTrain } from "./train.js";

await runProgram(createProgram([registerTrain]), process.argv.slice(2));
