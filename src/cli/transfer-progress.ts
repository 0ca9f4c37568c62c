/** How downloads and uploads are shown: on a terminal one line a file that counts up; elsewhere a line when a file is through. */

/** Bytes of a file that are through, of so many where that is known. */
export interface Transfer {
  file: string;
  bytes: number;
  total: number | undefined;
  /** What to say behind a file that is through. */
  remark?: string;
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export function transferProgress(stream: NodeJS.WriteStream): (transfer: Transfer) => void {
  let last = 0;
  return ({ file, bytes, total, remark }) => {
    if (bytes === total) {
      stream.write(`${stream.isTTY ? "\r\u001b[K" : ""}${file}  ${megabytes(bytes)}${remark === undefined ? "" : `, ${remark}`}\n`);
    } else if (stream.isTTY && Date.now() - last > 100) {
      last = Date.now();
      stream.write(`\r\u001b[K${file}  ${megabytes(bytes)}${total === undefined ? "" : ` of ${megabytes(total)}`}`);
    }
  };
}
