/**
 * The operating system's file errors as the project's own: what a person can do about a full disk or a folder without permission is the
 * same wherever it happens.
 */
import { LecternError } from "../errors.js";

/** The `code` of a Node system error ("ENOENT", …), if it is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** An error met while writing `file`, as a LecternError where a person can mend it; any other is returned as it came. */
export function writingError(error: unknown, file: string): unknown {
  switch (systemCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new LecternError(
        "DISK_FULL",
        {
          message: `No room to write ${file}; what was there before is unchanged.`,
          received: error instanceof Error ? error.message : undefined,
          next: "Free some space (old checkpoint-N folders are the usual place), raise the quota, or write to another disk.",
        },
        { cause: error },
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
    case "EISDIR":
    case "EEXIST":
    case "ENAMETOOLONG":
    case "ENOENT":
    case "EINVAL":
    case "ELOOP":
    case "ETXTBSY":
    case "ERR_FS_EISDIR":
    case "ERR_INVALID_ARG_VALUE": // a zero byte in the name
      return new LecternError(
        "FILE_NOT_WRITABLE",
        {
          message: `Cannot write ${file}.`,
          received: error instanceof Error ? error.message : undefined,
          next: "Check the path and its permissions, or choose another folder.",
        },
        { cause: error },
      );
    default:
      return error;
  }
}

/** An error met while opening `file` for reading, likewise. `what` names the thing for the message: "the index of the weights". */
export function readingError(error: unknown, file: string, what: string): unknown {
  switch (systemCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return new LecternError(
        "FILE_MISSING",
        { message: `There is no ${file}.`, expected: what, next: "Check the path." },
        { cause: error },
      );
    case "EACCES":
    case "EPERM":
    case "EISDIR":
    case "ELOOP":
    case "ENAMETOOLONG":
    case "ENXIO": // a socket
    case "EIO":
    case "EINVAL":
    case "ERR_INVALID_ARG_VALUE": // a zero byte in the name
      return new LecternError(
        "FILE_NOT_READABLE",
        {
          message: `Cannot read ${file}.`,
          expected: what,
          received: error instanceof Error ? error.message : undefined,
          next: "Check that it is a plain file and its permissions.",
        },
        { cause: error },
      );
    default:
      return error;
  }
}
