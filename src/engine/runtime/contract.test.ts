/** Every runtime keeps the one contract. */
import { describeRuntime } from "../../../test/engine/runtime-contract.js";
import { nativeRuntime } from "./native/native-runtime.js";

describeRuntime("native runtime", () => nativeRuntime({ threads: 2 }));
