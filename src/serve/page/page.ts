/**
 * The page at /: asks the server's own API and shows where in the text the answers stand. Whatever comes from the text, the answer or an error
 * enters the page as text, never as markup; the content security policy of page-routes.ts would stop the rest.
 */
interface Answer {
  score: number;
  start: number;
  end: number;
  answer: string;
  question_cut?: true;
}

interface Failure {
  error: { code: string; message: string; next?: string };
}

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const form = element<HTMLFormElement>("form");
const context = element<HTMLTextAreaElement>("context");
const question = element<HTMLInputElement>("question");
const model = element<HTMLSelectElement>("model");
const count = element<HTMLSelectElement>("count");
const key = element<HTMLInputElement>("key");
const impossible = element<HTMLInputElement>("impossible");
const error = element("error");
const status = element("status");
const result = element("result");
const list = element("answers");
const passage = element("passage");

/** The request that is under way; a new one takes its place. */
let asking: AbortController | undefined;

/** A failure in words for the person, and the field that is to be mended. */
class Refused extends Error {
  constructor(
    message: string,
    readonly field?: HTMLElement,
  ) {
    super(message);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void ask();
});
context.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void ask();
});
key.addEventListener("change", () => void listModels());
void listModels();

async function ask(): Promise<void> {
  asking?.abort();
  const own = (asking = new AbortController());
  tell(undefined);
  status.textContent = "Reading…";
  try {
    const text = context.value;
    if (text.trim() === "") throw new Refused("Paste a text first.", context);
    if (question.value.trim() === "") throw new Refused("Write a question first.", question);
    const reply = await call("v1/question-answering", own.signal, {
      ...(model.value !== "" && { model: model.value }),
      question: question.value,
      context: text,
      top_k: Number(count.value),
      handle_impossible_answer: impossible.checked,
    });
    show(text, ([] as Answer[]).concat(reply as Answer | Answer[]));
  } catch (thrown) {
    if (own.signal.aborted) return;
    status.textContent = "";
    result.hidden = true;
    tell(thrown);
  }
}

/** One model needs no choice. */
async function listModels(): Promise<void> {
  try {
    const { data } = (await call("v1/models")) as { data: { id: string }[] };
    model.replaceChildren(...data.map(({ id }) => new Option(id, id)));
    element("model-field").hidden = data.length < 2;
    tell(undefined);
  } catch (thrown) {
    tell(thrown);
  }
}

async function call(path: string, signal?: AbortSignal, body?: object): Promise<unknown> {
  const headers: Record<string, string> = { ...(key.value !== "" && { authorization: `Bearer ${key.value}` }) };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, signal, body: body && JSON.stringify(body) }).catch((thrown: unknown) => {
    if (signal?.aborted) throw thrown;
    throw new Refused("The server cannot be reached.");
  });
  const reply: unknown = await response.json();
  if (response.ok) return reply;
  const { code, message, next } = (reply as Failure).error;
  if (code === "UNAUTHORIZED") {
    element("key-field").hidden = false;
    throw new Refused(key.value === "" ? "This server wants an API key." : "This is not a key of this server.", key);
  }
  throw new Refused(next === undefined ? message : `${message} ${next}`);
}

/** Says what is wrong, and takes the person there. */
function tell(thrown: unknown): void {
  for (const field of [context, question, key]) field.removeAttribute("aria-invalid");
  error.textContent = thrown === undefined ? "" : thrown instanceof Error ? thrown.message : String(thrown);
  if (!(thrown instanceof Refused) || thrown.field === undefined) return;
  thrown.field.setAttribute("aria-invalid", "true");
  thrown.field.setAttribute("aria-describedby", "error");
  thrown.field.focus();
}

function show(text: string, answers: Answer[]): void {
  const buttons = answers.map((answer, index) => {
    const button = document.createElement("button");
    button.type = "button";
    const words = document.createElement("span");
    words.textContent = answer.answer === "" ? "No answer in the text" : answer.answer;
    const score = document.createElement("span");
    score.className = "score";
    score.textContent = rounded(answer.score);
    button.append(words, " ", score);
    button.addEventListener("click", () => {
      select(index);
      status.textContent = `Answer ${index + 1} of ${answers.length} is shown in the text.`;
    });
    return button;
  });
  const select = (chosen: number): void => {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
    highlight(text, answers[chosen]);
  };
  list.replaceChildren(
    ...buttons.map((button) => {
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
  result.hidden = false;
  select(0);
  const [{ answer, score, question_cut: cut }] = answers;
  const best = answer === "" ? "There is no answer in the text" : `Answer: ${answer}`;
  status.textContent = `${best} (score ${rounded(score)})${answers.length > 1 ? `, the best of ${answers.length}` : ""}.${cut ? " The question is long: only its beginning was read." : ""}`;
}

/** Offsets are UTF-16 code units, as those of JavaScript's strings. */
function highlight(text: string, { start, end }: Answer): void {
  const mark = document.createElement("mark");
  mark.textContent = text.slice(start, end);
  passage.replaceChildren(text.slice(0, start), ...(start < end ? [mark] : []), text.slice(end));
  if (start < end) passage.scrollTop = mark.offsetTop - passage.offsetTop - passage.clientHeight / 3;
}

function rounded(score: number): string {
  return score < 0.001 ? "< 0.001" : score.toPrecision(2);
}

export {};
