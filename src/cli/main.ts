#!/usr/bin/env node
/** `lectern VERB …`. */
import { createProgram, runProgram } from "./program.js";
import { verbs } from "./verbs.js";

await runProgram(createProgram(verbs), process.argv.slice(2));
