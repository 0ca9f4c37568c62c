/**
 * ONNX Runtime 1.29 and later, on Linux and macOS, reports each process to its maker when its environment is made: it reads the command line
 * (with a regular expression whose recursion is as deep as the line is long: some thousand characters of arguments end in SIGSEGV) and sends
 * what it finds over the network. Nothing of a user's documents or paths leaves the machine through Lectern, so this is turned off. It
 * listens to one variable of the process's environment, which must be set where C sees it: in a worker thread, `process.env` is only a copy.
 */
import koffi from "koffi";

/** Turns reporting off, unless the user's environment says something of it; to be called before the library makes its environment. */
export function turnOffTelemetry(): void {
  if (process.platform === "win32") return; // reports there go through the system's own tracing, which asks its user
  const setenv = koffi.load(null).func("int setenv(const char *name, const char *value, int overwrite)");
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
}
