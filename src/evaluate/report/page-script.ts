/**
 * The page's script: the switch between light and dark, and the list of examples with search, filters and pages. It is kept as text, since it
 * runs in the reader's browser and not here. It makes elements and text nodes only, never markup from data.
 */
export const pageScript = String.raw`"use strict";
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = byId("theme");
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => (theme.textContent = isDark() ? "Light colours" : "Dark colours");
theme.hidden = false;
theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
dark.addEventListener("change", nameTheme);
nameTheme();

const { contexts, examples, complete, total, outcomes, names } = JSON.parse(byId("data").textContent);
const perPage = 10;
const near = 160;
const percent = (value) => (100 * value).toFixed(1);
const score = (value) => (value === 0 || value >= 0.001 ? value.toFixed(3) : value.toPrecision(2));
const count = (value) => value.toLocaleString("en-US");

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
const text = (name, value, className = "") => element(name, { dir: "auto", className }, value);

/** Where the word at a place begins (step -1) or ends (step 1). */
function wordEnd(context, at, step) {
  let end = Math.min(context.length, Math.max(0, at));
  while (end > 0 && end < context.length && Math.abs(end - at) < 40 && /\S/.test(context[step < 0 ? end - 1 : end])) end += step;
  return end;
}

/** Ranges that touch or overlap as one. */
function merged(ranges) {
  const result = [];
  for (const [start, end] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = result[result.length - 1];
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

/** A context cut at every beginning and end of an answer; what lies far from all of them is left out unless the whole is asked for. */
function highlighted(example, whole) {
  const context = contexts[example.context];
  const spans = [
    ...example.goldSpans.map((span) => ({ span, kind: "gold", says: "gold answer" })),
    ...(example.answer.span ? [{ span: example.answer.span, kind: "predicted", says: "predicted" }] : []),
    ...(example.other?.span ? [{ span: example.other.span, kind: "other", says: "predicted by the other model" }] : []),
  ];
  const cuts = new Set([0, context.length, ...spans.flatMap(({ span }) => span)]);
  const around = (spans.length === 0 ? [[0, near]] : spans.map(({ span }) => span)).map(([start, end]) => [wordEnd(context, start - near, -1), wordEnd(context, end + near, 1)]);
  const shown = whole ? [[0, context.length]] : merged(around);
  for (const cut of shown.flat()) cuts.add(cut);
  const sorted = [...cuts].sort((a, b) => a - b);
  const nodes = [];
  let gap = false;
  for (let i = 0; i + 1 < sorted.length; i++) {
    const piece = [sorted[i], sorted[i + 1]];
    if (!shown.some(([start, end]) => start <= piece[0] && end >= piece[1])) {
      if (!gap) nodes.push(nodes.length === 0 ? "… " : " … ");
      gap = true;
      continue;
    }
    gap = false;
    const over = spans.filter(({ span: [start, end] }) => start <= piece[0] && end >= piece[1]);
    const words = context.slice(...piece);
    if (over.length === 0) nodes.push(words);
    else {
      const beginning = [...new Set(over.filter(({ span: [start] }) => start === piece[0]).map(({ says }) => says))];
      const mark = element("mark", { className: [...new Set(over.map(({ kind }) => kind))].join(" ") });
      if (beginning.length > 0) mark.append(element("span", { className: "vh" }, "[" + beginning.join(", ") + ": "));
      mark.append(words);
      if (over.some(({ span: [, end] }) => end === piece[1])) mark.append(element("span", { className: "vh" }, "]"));
      nodes.push(mark);
    }
  }
  return nodes;
}

function facts(answer, name) {
  const line = element("p", { className: "facts" });
  if (name) line.append(element("strong", {}, name));
  line.append(
    element("strong", {}, outcomes[answer.outcome]),
    element("span", {}, "F1 " + percent(answer.f1)),
    element("span", {}, "EM " + (answer.exact === 1 ? "yes" : "no")),
    element("span", {}, "score " + score(answer.probability)),
    ...(answer.pipeline ? [element("span", {}, "pipeline's score " + score(answer.pipeline.score)), ...(answer.pipeline.answer === undefined ? [] : [element("span", {}, "pipeline's answer ", orNone(answer.pipeline.answer))])] : []),
    element("span", {}, "Levenshtein distance " + answer.distance),
    element("span", {}, "null odds " + answer.nullOdds.toFixed(2).replace("-", "\u2212")),
  );
  return line;
}

const orNone = (value) => (value === "" ? element("em", {}, "no answer") : text("span", value));

function card(example) {
  const context = element("p", { className: "context", dir: "auto" }, ...highlighted(example, false));
  const button = element("button", { type: "button", className: "plain" }, "Whole context");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const whole = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(whole));
    context.replaceChildren(...highlighted(example, whole));
  });
  const golds = example.golds.length === 0 ? [orNone("")] : example.golds.flatMap((gold, i) => (i === 0 ? [text("span", gold)] : [" · ", text("span", gold)]));
  return element("li", {},
    element("p", { className: "facts" }, element("span", {}, "No. " + count(example.number)), ...(example.title === undefined ? [] : [text("span", example.title)]), element("span", {}, example.id)),
    text("h3", example.question),
    ...(example.other ? [facts(example.answer, names[0] + ":"), facts(example.other, names[1] + ":")] : [facts(example.answer)]),
    element("dl", { className: "answers" },
      element("dt", {}, example.golds.length > 1 ? "gold answers" : "gold answer"), element("dd", {}, ...golds),
      element("dt", {}, example.other ? names[0] : "prediction"), element("dd", {}, orNone(example.answer.text)),
      ...(example.other ? [element("dt", {}, names[1]), element("dd", {}, orNone(example.other.text))] : [])),
    context, button);
}

const [search, outcome, word, article, order] = ["search", "outcome", "word", "article", "order"].map(byId);
const haystacks = new Map(examples.map((e) => [e, [e.id, e.title ?? "", e.question, e.answer.text, e.other?.text ?? "", ...e.golds, contexts[e.context]].join("\n").toLowerCase()]));
let found = examples;
let isFiltered = false;
let page = 0;

function filter() {
  const wanted = search.value.trim().toLowerCase();
  isFiltered = wanted !== "" || [outcome, word, article].some((control) => control.value !== "");
  // without a filter the list is the beginning of the order, without a gap; with one it is of all that the page holds
  found = examples
    .filter((e) => isFiltered || e.places[order.value] < complete[order.value])
    .filter((e) => (outcome.value === "" || (outcome.value === "any error" ? e.answer.outcome !== "exact" : e.answer.outcome === outcome.value)) &&
      (word.value === "" || e.word === word.value) && (article.value === "" || e.title === article.value) && (wanted === "" || haystacks.get(e).includes(wanted)))
    .sort((a, b) => a.places[order.value] - b.places[order.value]);
  page = 0;
  show();
}

function show() {
  const pages = Math.max(1, Math.ceil(found.length / perPage));
  byId("list").replaceChildren(...found.slice(page * perPage, (page + 1) * perPage).map(card));
  const questions = count(found.length) + (found.length === 1 ? " question" : " questions");
  const which = examples.length === total ? questions : isFiltered ? questions + " among the " + count(examples.length) + " of this page" : "The first " + questions + " of " + count(total);
  byId("status").textContent = found.length === 0 ? "No question matches." : which + ", page " + (page + 1) + " of " + pages;
  for (const [name, off] of [["previous", page === 0], ["next", page >= pages - 1]]) byId(name).disabled = off;
}

function turn(by) {
  page += by;
  show();
  byId("examples").scrollIntoView();
  byId("status").focus({ preventScroll: true });
}

let waiting;
search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 150); });
for (const control of [outcome, word, article, order]) control.addEventListener("change", filter);
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
filter();
`;
