/**
 * Label Studio's exports (labelstud.io/guide/export). JSON has a task's own fields under `data` and what was marked under `annotations`; a
 * region's question may be a text that the annotator wrote for it. JSON_MIN, CSV and TSV have the task's fields beside lists of
 * {start, end, text, labels}, in tables as JSON. An annotation without regions says that there is no answer; a task without annotations says
 * nothing. Cancelled annotations are left out. Regions are counted in UTF-16 code units, which placing takes into account (place-answers.ts).
 */
import { type NamedRow, nameColumns } from "../columns.js";
import {
  asFields,
  asFilledText,
  asId,
  asList,
  asText,
  asTextOrNumber,
  at,
  type Fields,
  isAbsent,
  isFields,
  type Place,
} from "../fields.js";
import type { RawQuestion } from "../raw-question.js";
import { structured } from "../structured-text.js";
import { questionsOfSpans, readSpan, type Span, type SpanTexts } from "./annotated-spans.js";
import { defineDataForm } from "./data-form.js";
import { readTexts } from "./rows.js";

export const labelStudio = defineDataForm({
  name: "Label Studio",
  matches: (record) => isFields(record["data"]) && (Array.isArray(record["annotations"]) || Array.isArray(record["completions"])),
  *read(record, place) {
    const dataPlace = at(place, "data");
    const row = nameColumns(asFields(record["data"], dataPlace));
    const name = "annotations" in record ? "annotations" : "completions";
    const annotations = asList(record[name], at(place, name)).map((each, i) => asFields(each, at(at(place, name), i)));
    const id = asId(record["id"], at(place, "id"));
    const done = annotations.flatMap((annotation, i) => (annotation["was_cancelled"] === true ? [] : [{ annotation, i }]));
    if (done.length === 0) return yield { ...readTexts(row, dataPlace), id, answers: undefined, impossible: undefined, place };
    const context = contextOf(row, dataPlace);
    const spans = done.flatMap(({ annotation, i }) => readRegions(annotation["result"], context, at(at(at(place, name), i), "result")));
    yield* spanQuestions(row, spans, { id, place, textsPlace: dataPlace });
  },
});

export const labelStudioTable = defineDataForm({
  name: "Label Studio",
  matches: (record) => ("annotation_id" in record && "annotator" in record) || Object.values(record).some(isRegionList),
  *read(record, place) {
    const lists = Object.entries(record).filter(([, value]) => isRegionList(structured(value)));
    const names = lists.map(([name]) => name);
    const row = nameColumns(Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name))));
    const context = contextOf(row, place);
    const spans = lists.flatMap(([name, value]) =>
      asList(structured(value), at(place, name)).map((region, i) => readRegion(asFields(region, place), context, at(at(place, name), i))),
    );
    yield* spanQuestions(row, spans, { id: asId(record["id"], at(place, "id")), place, textsPlace: place });
  },
});

function spanQuestions(
  row: NamedRow,
  spans: readonly Span[],
  { id, place, textsPlace }: { id: string | undefined; place: Place; textsPlace: Place },
): RawQuestion[] {
  const hasQuestion = !isAbsent(row.fields["question"]);
  const texts: SpanTexts =
    hasQuestion || spans.length === 0
      ? readTexts(row, textsPlace)
      : {
          title: asTextOrNumber(row.fields["title"], at(textsPlace, "title")),
          context: contextOf(row, textsPlace),
          id,
          question: undefined,
        };
  return questionsOfSpans({ ...texts, id }, spans, place);
}

function contextOf({ fields, names }: NamedRow, place: Place): string {
  return asText(fields["context"], at(place, names.context ?? "context"));
}

/** The regions of an annotation's `result`; where annotators wrote a text for a region, it is its question. */
function readRegions(result: unknown, context: string, place: Place): Span[] {
  const items = asList(result, place).map((item, i) => asFields(item, at(place, i)));
  const written = new Map<unknown, string>();
  for (const { id, type, value } of items) {
    const text = isFields(value) ? value["text"] : undefined;
    if (type === "textarea" && Array.isArray(text) && typeof text[0] === "string") written.set(id, text[0]);
  }
  return items.flatMap(({ id, type, value }, i) => {
    if (type === "textarea" || !isFields(value) || !isRegion(value)) return [];
    const span = readRegion(value, context, at(at(place, i), "value"));
    return [{ ...span, label: written.get(id) ?? span.label }];
  });
}

function readRegion({ text, start, end, globalOffsets, labels, hypertextlabels }: Fields, context: string, place: Place): Span {
  const ends = isFields(globalOffsets) ? globalOffsets : typeof start === "string" && !/^\d+$/.test(start) ? {} : { start, end };
  const names = labels ?? hypertextlabels;
  const [label] = Array.isArray(names) ? (names as unknown[]) : [names];
  return {
    answer: readSpan({ text, start: ends["start"], end: ends["end"] }, context, place),
    label: isAbsent(label) ? undefined : asFilledText(label, at(place, "labels")),
    place,
  };
}

function isRegion(value: unknown): boolean {
  return isFields(value) && "start" in value && "end" in value && ("labels" in value || "hypertextlabels" in value);
}

function isRegionList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isRegion);
}
