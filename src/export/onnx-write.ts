/**
 * ONNX files as others expect them: inputs int64 [batch_size, sequence_length], weights in the file or, where they would make it larger than a
 * protobuf message can be (2 GB), in a file of external data beside it, under the name that transformers.js and Optimum look for.
 */
import { open, writeFile } from "node:fs/promises";
import path from "node:path";
import { constantOf, type ExternalData, type Graph, writeOnnx } from "../engine/index.js";

/** Above this the weights lie beside the file: the limit of a protobuf message, less room for the graph. */
export const defaultExternalDataFrom = 2 ** 31 - 2 ** 26;
/** Offsets are multiples of this, so that the data can be mapped into memory. */
const alignment = 4096;

export interface OnnxWriteOptions {
  /** Whether ONNX Runtime's own operators may be used. */
  readonly fused: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes of weights from which on they are written beside the file. */
  readonly externalDataFrom?: number;
}

/** Writes the graph to `file`. Returns the files written, and their bytes in all. */
export async function writeOnnxFile(file: string, graph: Graph, options: OnnxWriteOptions): Promise<{ files: string[]; bytes: number }> {
  const outside = weightBytes(graph) >= (options.externalDataFrom ?? defaultExternalDataFrom);
  const pieces: { offset: number; data: Uint8Array }[] = [];
  let end = 0;
  const external: ExternalData = {
    file: `${path.basename(file)}_data`,
    fromBytes: 1024,
    add: (data) => {
      const offset = Math.ceil(end / alignment) * alignment;
      pieces.push({ offset, data });
      end = offset + data.length;
      return offset;
    },
  };
  const model = writeOnnx(graph, {
    fused: options.fused,
    portable: true,
    metadata: options.metadata,
    dimensionNames: { batch: "batch_size", seq: "sequence_length" },
    ...(outside && { external }),
  });
  await writeFile(file, model);
  if (pieces.length === 0) return { files: [path.basename(file)], bytes: model.length };
  const handle = await open(path.join(path.dirname(file), external.file), "wx");
  try {
    for (const { offset, data } of pieces) await handle.write(data, 0, data.length, offset);
  } finally {
    await handle.close();
  }
  return { files: [path.basename(file), external.file], bytes: model.length + end };
}

function weightBytes(graph: Graph): number {
  return graph.nodes.reduce((sum, { outputs: [value] }) => sum + (constantOf(value)?.data.byteLength ?? 0), 0);
}
