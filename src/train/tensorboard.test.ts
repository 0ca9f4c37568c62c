import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TensorBoardLog } from "./tensorboard-log.js";
import { EventFile, crc32c, maskedCrc } from "./tensorboard-records.js";
import { TrainerState } from "./trainer-state.js";

const python = process.env.LECTERN_PEER_PYTHON;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-tensorboard-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Fields of a protobuf message by number, nested messages as bytes; enough for events. */
function fields(bytes: Uint8Array): Map<number, unknown[]> {
  const reader = new BinaryReader(bytes);
  const found = new Map<number, unknown[]>();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const read: Partial<Record<WireType, () => unknown>> = {
      [WireType.Varint]: () => Number(reader.int64()),
      [WireType.Bit64]: () => reader.double(),
      [WireType.Bit32]: () => reader.float(),
      [WireType.LengthDelimited]: () => reader.bytes(),
    };
    found.set(field, [...(found.get(field) ?? []), read[type]!()]);
  }
  return found;
}

const text = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);
const inner = (message: Map<number, unknown[]>, field: number): Map<number, unknown[]> => fields(message.get(field)![0] as Uint8Array);

/** The Events of a file; checks every length and checksum on the way. */
async function readEvents(path: string): Promise<Map<number, unknown[]>[]> {
  const bytes = new Uint8Array(await readFile(path));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const events: Map<number, unknown[]>[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc(bytes.subarray(at, at + 8)));
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc(data));
    events.push(fields(data));
    at += length + 16;
  }
  return events;
}

test("CRC-32C gives the values of RFC 3720, appendix B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test("a file holds its version, scalars, texts and histograms", async () => {
  const file = new EventFile(folder);
  file.scalar("train/loss", 0.5, 3_000_000_000);
  file.text("recipe", "model: m", 0);
  file.histogram("lengths", [-2, 0, 1, 1, 300], 7);
  file.histogram("nothing", [], 7);
  file.sessionStart(20);
  file.close();
  expect(file.path).toMatch(/events\.out\.tfevents\.\d{10}\..+\.\d+\.\d+$/);

  const [version, scalar, words, histogram, session, ...more] = await readEvents(file.path);
  expect(more).toEqual([]);
  expect(text(version.get(3)![0])).toBe("brain.Event:2");
  expect(version.get(1)![0]).toBeGreaterThan(1.7e9);

  expect(scalar.get(2)).toEqual([3_000_000_000]);
  const value = inner(inner(scalar, 5), 1);
  expect([text(value.get(1)![0]), value.get(2)![0]]).toEqual(["train/loss", 0.5]);

  const note = inner(inner(words, 5), 1);
  expect(text(note.get(1)![0])).toBe("recipe/text_summary");
  expect(text(inner(inner(note, 9), 1).get(1)![0])).toBe("text");
  expect(text(inner(note, 8).get(8)![0])).toBe("model: m");

  const bars = inner(inner(inner(histogram, 5), 1), 5);
  expect([1, 2, 3, 4, 5].map((field) => bars.get(field)![0])).toEqual([-2, 300, 5, 300, 90006]);
  const doubles = (field: number): number[] => {
    const bytes = (bars.get(field)![0] as Uint8Array).slice();
    return [...new Float64Array(bytes.buffer)];
  };
  const [limits, counts] = [doubles(6), doubles(7)];
  expect(limits).toEqual([...limits].sort((a, b) => a - b));
  expect(counts).toHaveLength(limits.length);
  expect(counts.reduce((sum, count) => sum + count)).toBe(5);
  expect(limits.findIndex((limit) => limit >= 1)).toBe(counts.indexOf(2));

  expect(inner(session, 7).get(1)).toEqual([1]);
});

/** Two runs into one folder, the second resumed at step 20 after the first had logged step 30. */
async function resumedRun(): Promise<string> {
  const logs = await mkdtemp(join(folder, "logs-"));
  const log = (step: number, loss: number) =>
    ({ type: "log", step, epoch: step / 10, loss, learningRate: 1e-4, gradientNorm: 2, samplesPerSecond: 5 }) as const;
  const first = new TensorBoardLog(logs);
  first.open({ step: 0, recipe: "model: m\nseed: 42\n", histograms: { "data/window_tokens": [10, 20, 20, 384] } });
  first.write({ type: "evaluation", step: 0, epoch: 0, metrics: { eval_loss: 6, eval_f1: 4 }, best: false });
  for (const step of [10, 20, 30]) first.write(log(step, step));
  first.close();
  const second = new TensorBoardLog(logs);
  second.open({ step: 20, recipe: "model: m\n", histograms: {} });
  second.write(log(30, 31));
  second.write({ type: "evaluation", step: 30, epoch: 3, metrics: { eval_loss: 2, eval_f1: 40 }, best: true });
  second.close();
  return logs;
}

test("a log has Hugging Face's tags", async () => {
  const logs = await resumedRun();
  const files = (await readdir(logs)).sort();
  expect(files).toHaveLength(2);
  const tags = (await readEvents(join(logs, files[0])))
    .filter((event) => event.has(5))
    .map((event) => text(inner(inner(event, 5), 1).get(1)![0]));
  for (const tag of [
    "recipe/text_summary",
    "data/window_tokens",
    "eval/loss",
    "eval/f1",
    "train/loss",
    "train/learning_rate",
    "train/grad_norm",
  ]) {
    expect(tags).toContain(tag);
  }
});

test.skipIf(!python)("the real TensorBoard reads it (needs LECTERN_PEER_PYTHON with the tensorboard package)", async () => {
  const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0, "scalars": 0, "histograms": 0}); a.Reload()
h = a.Histograms("data/window_tokens")[0].histogram_value
print(json.dumps({
  "tags": a.Tags()["scalars"],
  "loss": [[e.step, e.value] for e in a.Scalars("train/loss")],
  "f1": [[e.step, e.value] for e in a.Scalars("eval/f1")],
  "text": a.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode(),
  "histogram": [h.min, h.max, h.num, h.sum, sum(h.bucket)],
}))`;
  const read = JSON.parse(
    execFileSync(python!, ["-c", script, await resumedRun()], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  ) as Record<string, unknown>;
  expect(read.tags).toEqual(expect.arrayContaining(["train/loss", "train/learning_rate", "train/grad_norm", "eval/loss", "eval/f1"]));
  expect(read.loss).toEqual([
    [10, 10],
    [20, 20],
    [30, 31],
  ]); // what came after step 20 belongs to the resumed session
  expect(read.f1).toEqual([
    [0, 4],
    [30, 40],
  ]);
  expect(read.text).toBe("    model: m\n    seed: 42");
  expect(read.histogram).toEqual([10, 384, 4, 434, 4]);
});

test.skipIf(!python)("transformers reads trainer_state.json (needs LECTERN_PEER_PYTHON with the transformers package)", async () => {
  const state = new TrainerState(10, { metric: "loss", greaterIsBetter: false, patience: 2, threshold: 0 });
  state.advance({ loss: 2, gradientNorm: 1, samples: 4, tokens: 100 }, 0.5);
  state.log(1e-4, 1);
  state.recordEvaluation({ eval_loss: 1.5 });
  const settings = { max_steps: 10, num_train_epochs: 1, logging_steps: 1, eval_steps: 1, save_steps: 1, train_batch_size: 4 };
  await writeFile(join(folder, "trainer_state.json"), state.toJson(settings));
  const script =
    "import sys; from transformers.trainer_callback import TrainerState as T; s = T.load_from_json(sys.argv[1]); print(s.global_step, s.best_metric, len(s.log_history))";
  const line = execFileSync(python!, ["-c", script, join(folder, "trainer_state.json")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(line.trim()).toBe("1 1.5 2");
});
