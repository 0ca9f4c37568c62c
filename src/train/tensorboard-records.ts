/**
 * TensorBoard event files, byte by byte. A file is a sequence of TFRecords (tensorflow/core/lib/io/record_writer.h): length as uint64,
 * masked CRC-32C of the length, the data, masked CRC-32C of the data, all little-endian; the data are protobuf Events
 * (tensorflow/core/util/event.proto, framework/summary.proto, tensor.proto), whose field numbers stand beside each field below.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

let filesOfThisProcess = 0;

/** One event file, appended to record by record, so that a kill costs at most the last one. */
export class EventFile {
  readonly path: string;
  private readonly descriptor: number;

  /** @param folder must exist; the file is named as TensorFlow names it. */
  constructor(folder: string) {
    const seconds = Math.floor(Date.now() / 1000)
      .toString()
      .padStart(10, "0");
    this.path = join(folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${filesOfThisProcess++}`);
    this.descriptor = openSync(this.path, "a");
    this.write(0, (event) => event.tag(3, WireType.LengthDelimited).string("brain.Event:2")); // file_version
  }

  scalar(tag: string, value: number, step: number): void {
    this.write(
      step,
      summary(tag, (item) => item.tag(2, WireType.Bit32).float(value)),
    ); // simple_value
  }

  /** The distribution of some values over exponentially growing buckets. Nothing is written for none. */
  histogram(tag: string, values: ArrayLike<number>, step: number): void {
    if (values.length === 0) return;
    this.write(
      step,
      summary(tag, (item) => nested(item, 5, histogram(values))),
    ); // histo
  }

  /** A text in Markdown, shown by TensorBoard's text tab. */
  text(tag: string, text: string, step: number): void {
    const value = (item: BinaryWriter): void => {
      nested(item, 9, (metadata) => nested(metadata, 1, (plugin) => plugin.tag(1, WireType.LengthDelimited).string("text"))); // plugin_name
      nested(item, 8, (tensor) => {
        tensor.tag(1, WireType.Varint).int32(7); // dtype DT_STRING
        nested(tensor, 2, (shape) => nested(shape, 2, (dimension) => dimension.tag(1, WireType.Varint).int64(1))); // tensor_shape [1]
        tensor.tag(8, WireType.LengthDelimited).string(text); // string_val
      });
    };
    this.write(step, summary(`${tag}/text_summary`, value));
  }

  /** Says that a session starts at `step`: what an earlier file in the folder holds from that step on is no longer shown. */
  sessionStart(step: number): void {
    this.write(step, (event) => nested(event, 7, (session) => session.tag(1, WireType.Varint).int32(1))); // status START
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private write(step: number, fill: (event: BinaryWriter) => void): void {
    const event = new BinaryWriter();
    event.tag(1, WireType.Bit64).double(Date.now() / 1000); // wall_time
    if (step !== 0) event.tag(2, WireType.Varint).int64(step); // step
    fill(event);
    writeSync(this.descriptor, frame(event.finish()));
  }
}

/** An Event with one Summary.Value. */
function summary(tag: string, fill: (value: BinaryWriter) => void): (event: BinaryWriter) => void {
  return (event) =>
    nested(event, 5, (all) =>
      nested(all, 1, (value) => {
        value.tag(1, WireType.LengthDelimited).string(tag);
        fill(value);
      }),
    );
}

function nested(writer: BinaryWriter, field: number, fill: (inner: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  fill(writer);
  writer.join();
}

/** HistogramProto: bucket i counts the values in (limit[i − 1], limit[i]]. */
function histogram(values: ArrayLike<number>): (writer: BinaryWriter) => void {
  let [min, max, sum, squares] = [Infinity, -Infinity, 0, 0];
  const counts = new Array<number>(bucketLimits.length).fill(0);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    squares += value * value;
    counts[bucketOf(value)]++;
  }
  const first = Math.max(0, counts.findIndex((count) => count > 0) - 1); // the empty bucket before says where the first one begins
  const last = counts.findLastIndex((count) => count > 0);
  return (writer) => {
    [min, max, values.length, sum, squares].forEach((value, index) => writer.tag(index + 1, WireType.Bit64).double(value));
    packedDoubles(writer, 6, bucketLimits.slice(first, last + 1)); // bucket_limit
    packedDoubles(writer, 7, counts.slice(first, last + 1)); // bucket
  };
}

/** TensorFlow's limits: ±1e-12 · 1.1ⁿ up to 1e20, and 0 between. */
const bucketLimits: number[] = (() => {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  positive.push(Number.MAX_VALUE);
  return [...positive.map((limit) => -limit).reverse(), 0, ...positive];
})();

/** Index of the first limit that is not below the value. */
function bucketOf(value: number): number {
  let [low, high] = [0, bucketLimits.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bucketLimits[middle] >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function packedDoubles(writer: BinaryWriter, field: number, values: number[]): void {
  nested(writer, field, (packed) => values.forEach((value) => packed.double(value)));
}

/** One TFRecord around the data. */
export function frame(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

/** TFRecord's mask of a CRC: rotated right by 15 bits, plus a constant, so that data holding CRCs stay well protected. */
export function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720 appendix B.4 has test values). */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
