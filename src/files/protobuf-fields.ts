/** Reading protobuf messages of which only some fields matter: those of ONNX and SentencePiece files, without their schemas. */
import { BinaryReader } from "@bufbuild/protobuf/wire";

/**
 * Calls the handler of each field of a message; fields without one are stepped over. A handler reads its field whole.
 * @throws Error where the bytes end in the middle of a field, or are no message
 */
export function eachField(message: Uint8Array, handlers: Readonly<Record<number, (reader: BinaryReader) => unknown>>): void {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const handler = handlers[field];
    if (handler === undefined) reader.skip(wireType, field);
    else handler(reader);
  }
  if (reader.pos > reader.len) throw new RangeError("premature EOF");
}
