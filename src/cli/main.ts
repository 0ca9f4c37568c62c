#!/usr/bin/env node
/** `lectern VERB …`. */
import { createProgram, runProgram } from "./program.js";
import { loadVerbs } from "./verbs.js";

const words = process.argv.slice(2);
await runProgram(createProgram(await loadVerbs(words)), words);
