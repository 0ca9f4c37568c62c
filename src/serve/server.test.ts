/** The server as a client sees it: real HTTP, a real model in its process. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { get, loadServe, longText, metric, post, until } from "../../test/serving.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { loadExamples, type QaExample } from "../data/examples.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import { QuestionAnswerer } from "../tasks/extractive/question-answerer.js";
import { httpErrors } from "./http-error.js";
import type { Server } from "./server.js";

let folder: string;
let server: Server;
let examples: QaExample[];
const lines: string[] = [];
const log = { stream: { write: (line: string) => void lines.push(line) } };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-serve-"));
  await writeTinyReader(join(folder, "tiny"));
  examples = (await loadExamples(join(starter, "squad/dev.json"), { limit: 24 })).examples;
  const { createServer } = await loadServe();
  server = await createServer({ models: { tiny: join(folder, "tiny") }, port: 0, log });
}, 60_000);
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true });
});

const one = { question: "Who designed it?", context: "Babbage designed the machine in London." };
const failure = (code: keyof typeof httpErrors, message: RegExp | string = /./) => ({
  status: httpErrors[code].status,
  body: { error: { code, message: expect.stringMatching(message) as string, request_id: expect.any(String) as string } },
});

describe("questions", () => {
  test("are answered as offline, alone, many at once, and side by side", async () => {
    const offline = await QuestionAnswerer.from(join(folder, "tiny"), { runtime: testRuntime() });
    const texts = [
      ...examples.map(({ question, context }) => ({ question, context })),
      { question: "Où?", context: "\r\n  👩‍👩‍👧 naïve cafe\u0301 — “quoted”\n\nnext\u00a0line 中文 text שלום عالم  " },
      { question: "?", context: longText(2000) },
    ];
    const expected = await offline.answer(texts);
    const best = await offline.answer(texts.slice(0, 3), { top_k: 3, max_answer_len: 4 });
    offline.release();
    const same = (given: Answer, wanted: Answer, context: string): void => {
      expect({ ...given, score: 0 }).toEqual({ ...wanted, score: 0 });
      expect(given.score).toBeCloseTo(wanted.score, 5);
      expect(context.slice(given.start, given.end)).toBe(given.answer);
    };
    const single = await Promise.all(texts.map((text) => post(server.url, text)));
    const many = await post(server.url, { question: texts.map(({ question }) => question), context: texts.map(({ context }) => context) });
    texts.forEach(({ context }, index) => {
      expect(single[index].status).toBe(200);
      same(single[index].body as Answer, expected[index], context);
      same((many.body as Answer[])[index], expected[index], context);
    });
    const three = await post(server.url, { question: texts[0].question, context: texts[0].context, top_k: 3, max_answer_len: 4 });
    expect(three.body).toHaveLength(best[0].length);
    (three.body as Answer[]).forEach((answer, index) => same(answer, best[0][index], texts[0].context));
  });

  test("are widened to words, or not, as is asked; the reply says which were cut", async () => {
    const offline = await QuestionAnswerer.from(join(folder, "tiny"), { runtime: testRuntime() });
    const asked = { question: ["Who?", "Who wrote all this?"], context: "antidisestablishmentarianism unbelievably" };
    for (const align_to_words of [true, false, "auto"] as const) {
      const options = { top_k: 3, max_question_len: 3, align_to_words } as const;
      const expected = await offline.answer(asked.question.map((question) => ({ question, context: asked.context })), options);
      const { status, body } = await post(server.url, { ...asked, ...options });
      expect(status).toBe(200);
      const bare = (answers: Answer[][]) => answers.map((best) => best.map((answer) => ({ ...answer, score: 0 })));
      expect(bare(body as Answer[][])).toEqual(bare(expected));
      expect((body as Answer[][]).map(([{ question_cut }]) => question_cut)).toEqual([undefined, true]);
    }
    offline.release();
  });

  test("share a context, or have one each", async () => {
    const shared = await post(server.url, { ...one, question: ["Who?", "Where?"], top_k: 2 });
    expect(shared.body).toEqual([
      [expect.objectContaining({ score: expect.any(Number) as number }), expect.anything()],
      [expect.anything(), expect.anything()],
    ]);
    const single = await post(server.url, { ...one, question: ["Who?"] });
    expect(single.body).toHaveLength(1);
    expect(await post(server.url, { question: ["a", "b"], context: ["c"] })).toMatchObject(failure("INVALID_REQUEST", /2 questions and 1 contexts/));
  });

  test("of a lone surrogate come back as they are", async () => {
    const { status, body } = await post(server.url, '{"question": "who\\ud83d?", "context": "\\ude00 lone \\ud83d in text"}');
    expect(status).toBe(200);
    const { start, end, answer } = body as Answer;
    expect("\ude00 lone \ud83d in text".slice(start, end)).toBe(answer);
  });
});

describe("what is refused", () => {
  const bad: [string, unknown, keyof typeof httpErrors, RegExp][] = [
    ["JSON that is cut off", '{"question": "a", ', "INVALID_JSON", /not JSON/],
    ["no body", "", "INVALID_JSON", /empty/],
    ["a prototype", '{"__proto__": {"question": "a"}, "context": "b"}', "INVALID_JSON", /__proto__/],
    ["a constructor", '{"question": "a", "context": "b", "constructor": {"prototype": {}}}', "INVALID_JSON", /__proto__/],
    ["bytes that are not UTF-8", Uint8Array.from([...Buffer.from('{"question":"a","context":"'), 0xff, 0xc0, ...Buffer.from('"}')]), "INVALID_UTF8", /UTF-8/],
    ["a list", [], "INVALID_REQUEST", /must be an object/],
    ["null", null, "INVALID_REQUEST", /must be an object/],
    ["no context", { question: "a" }, "INVALID_REQUEST", /^context must be a string or a list of strings/],
    ["a number for a question", { ...one, question: 5 }, "INVALID_REQUEST", /^question must be a string or a list/],
    ["a number among questions", { ...one, question: ["a", 5] }, "INVALID_REQUEST", /^question\[1\] must be a string/],
    ["an empty question", { ...one, question: " \n" }, "INVALID_REQUEST", /^question must not be empty/],
    ["no question", { ...one, question: [] }, "INVALID_REQUEST", /^question must not be an empty list/],
    ["an empty context", { ...one, context: "" }, "INVALID_REQUEST", /context/],
    ["an unknown key", { ...one, topk: 3 }, "INVALID_REQUEST", /^topk is not a key/],
    ["a wrong option", { ...one, top_k: 0 }, "INVALID_REQUEST", /^top_k must be a whole number from 1 to 100/],
    ["a wrong way to align", { ...one, align_to_words: "yes" }, "INVALID_REQUEST", /^align_to_words must be true, false or "auto"/],
    ["an option that the model cannot follow", { ...one, max_seq_len: 100_000 }, "INVALID_REQUEST", /max_seq_len/],
    ["an unknown model", { ...one, model: "large" }, "MODEL_NOT_FOUND", /There is: tiny/],
    ["a path for a model", { ...one, model: "../../../../etc/passwd" }, "MODEL_NOT_FOUND", /There is: tiny/],
    ["a model of a prototype", { ...one, model: "__proto__" }, "MODEL_NOT_FOUND", /There is: tiny/],
    ["a long question", { ...one, question: "a".repeat(2001) }, "QUESTION_TOO_LONG", /2000 characters, this one has 2001/],
    ["a million numbers for questions", `{"question":[${"1,".repeat(999_000)}1],"context":"b"}`, "TOO_MANY_QUESTIONS", /128 questions and as many contexts, this one has a list of 999001/],
    ["a hundred thousand keys", `{"question":"a","context":"b",${Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join()}}`, "INVALID_REQUEST", /has 100002 keys, and a request has at most 32/],
    ["one key a hundred thousand times", `{"question":"a","context":"b"${',"question":"a"'.repeat(100_000)}}`, "INVALID_REQUEST", /keys/],
    ["lists in lists", `{"question":${"[".repeat(500_000)}${"]".repeat(500_000)},"context":"b"}`, "INVALID_REQUEST", /more than 8 deep/],
    ["objects in objects", `{"question":${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)},"context":"b"}`, "INVALID_REQUEST", /more than 8 deep/],
    ["many short lists", `{"question":[${"[1,1],".repeat(100_000).slice(0, -1)}],"context":"b"}`, "TOO_MANY_QUESTIONS", /list of 100000/],
    ["many questions", { ...one, question: Array.from({ length: 129 }, () => "a") }, "TOO_MANY_QUESTIONS", /128/],
    ["a long context", { ...one, context: "a ".repeat(300_000) }, "CONTEXT_TOO_LONG", /500000 characters together, these have 600000/],
    ["a context for many questions", { question: ["a", "b"], context: "a ".repeat(200_000) }, "CONTEXT_TOO_LONG", /800000/],
    ["windows that hardly move", { ...one, context: longText(60_000), max_seq_len: 128, doc_stride: 120 }, "CONTEXT_TOO_LONG", /windows/],
    ["a hundred answers of much of a context", { ...one, context: [..."abcdefghijklmn"].map((letter) => letter.repeat(30_000)).join(" "), top_k: 100 }, "REPLY_TOO_LARGE", /characters together/],
    ["a body of 10 MB", { ...one, context: "a ".repeat(5_000_000) }, "BODY_TOO_LARGE", /bytes/],
  ];
  test.each(bad)("%s", async (_, body, code, message) => {
    expect(await post(server.url, body)).toMatchObject(failure(code, message));
  });

  test("what is not JSON by its header", async () => {
    const text = JSON.stringify(one);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]) {
      expect(await post(server.url, text, { "content-type": type })).toMatchObject(failure("UNSUPPORTED_MEDIA_TYPE"));
    }
    expect(await post(server.url, text, { "content-encoding": "gzip" })).toMatchObject(failure("UNSUPPORTED_MEDIA_TYPE"));
    expect((await post(server.url, text, { "content-type": "application/json; charset=UTF-8" })).status).toBe(200);
  });

  test("unknown paths, without a look at the disk", async () => {
    for (const path of ["/v1", "/..%2f..%2fetc/passwd", "/page/../page.js/x", "/docs/static/..%2f..%2fpackage.json"]) {
      expect(await get(server.url, path)).toMatchObject({ status: 404, body: { error: { code: "NOT_FOUND" } } });
    }
    expect(await get(server.url, "/%ff")).toMatchObject(failure("BAD_REQUEST"));
  });
});

describe("a path", () => {
  test("that takes other methods names them", async () => {
    for (const [method, path, allow] of [
      ["GET", "/v1/question-answering", "POST"],
      ["DELETE", "/v1/question-answering?x=1", "POST"],
      ["OPTIONS", "/v1/question-answering", "POST"],
      ["POST", "/v1/models", "GET, HEAD"],
      ["PUT", "/", "GET, HEAD"],
      ["PROPFIND", "/healthz", "GET, HEAD"],
      ["POST", "/docs/static/swagger-ui.css", "GET, HEAD"],
    ]) {
      const reply = await fetch(server.url + path, { method, ...(method === "PUT" && { body: "text", headers: { "content-type": "text/plain" } }) });
      expect([method, path, reply.status, reply.headers.get("allow")]).toEqual([method, path, 405, allow]);
      expect(await reply.json()).toMatchObject({ error: { code: "METHOD_NOT_ALLOWED", allow: allow.split(", ") } });
    }
  });

  test("that is not there is not, whatever the method and the body", async () => {
    for (const method of ["POST", "OPTIONS", "DELETE"]) {
      expect((await fetch(`${server.url}/v2`, { method, ...(method === "POST" && { body: "text" }) })).status).toBe(404);
    }
  });
});

describe("the server's own state", () => {
  test("can be asked", async () => {
    expect((await get(server.url, "/healthz")).body).toEqual({ status: "ok" });
    expect((await get(server.url, "/readyz")).body).toEqual({ status: "ready" });
    expect((await get(server.url, "/v1/models")).body).toEqual({
      object: "list",
      data: [{ id: "tiny", object: "model", task: "question-answering", loaded: true }],
    });
  });

  test("is measured by model", async () => {
    const count = () => metric(server.url, 'lectern_requests_total{model="tiny",status="200"}');
    const before = (await count())!;
    await post(server.url, one);
    await until(async () => (await count()) === before + 1);
    expect(await metric(server.url, 'lectern_queue_depth{model="tiny"}')).toBe(0);
    expect(await metric(server.url, 'lectern_model_memory_bytes{model="tiny"}')).toBeGreaterThan(1e7);
    expect(await metric(server.url, 'lectern_request_duration_seconds_count{model="tiny"}')).toBeGreaterThan(0);
    expect(await metric(server.url, 'lectern_batch_tokens_count{model="tiny"}')).toBeGreaterThan(0);
  });

  test("is documented by the schemas that check requests", async () => {
    const document = (await get(server.url, "/openapi.json")).body as Record<string, never>;
    expect(document).toMatchObject({
      openapi: "3.1.0",
      paths: { "/v1/question-answering": { post: { requestBody: {}, responses: { 200: {}, 429: {} } } }, "/v1/models": {}, "/readyz": {} },
    });
    expect(Object.keys(document["components"]["schemas"])).toEqual(expect.arrayContaining(["Answer", "Error"]));
    for (const name of ["handle_impossible_answer", "align_to_words", "question_cut"]) expect(JSON.stringify(document)).toContain(name);
    expect(JSON.stringify(document)).toContain("32 keys, lists of 128 elements, and be nested 8 deep");
    expect((await get(server.url, "/docs/")).body).toContain("swagger-ui");
  });

  test("is logged without what was asked and answered", async () => {
    lines.length = 0;
    await post(server.url, { question: "SECRETQUESTION?", context: "SECRETCONTEXT one two" });
    await post(server.url, { question: "SECRETQUESTION?", context: "SECRETCONTEXT", SECRETKEY: 1, max_seq_len: 4 });
    await post(server.url, '{"SECRETQUESTION');
    await get(server.url, "/SECRETPATH?q=SECRETQUERY");
    await until(() => lines.length >= 4);
    expect(lines.join("")).not.toContain("SECRET");
    expect(JSON.parse(lines[0])).toMatchObject({ route: "/v1/question-answering", status: 200, model: "tiny", questions: 1, windows: 1 });
  });

  test("the documents list its errors", () => {
    const page = readFileSync("docs/serving.md", "utf8");
    const listed = [...page.matchAll(/^\| `([A-Z_0-9]+)` \| (\d+) \| (.*) \|$/gm)].map(([, code, status, meaning]) => ({ code, status: Number(status), meaning }));
    expect(listed).toEqual(Object.entries(httpErrors).map(([code, error]) => ({ code, ...error })));
  });
});

test("bodies of many values do not hold up the event loop", async () => {
  const bodies = [`{"question":[${"1,".repeat(1_000_000)}1]}`, "[".repeat(2_000_000), `{"question":"a","context":"b"${',"":0'.repeat(400_000)}}`];
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const replies = await Promise.all(Array.from({ length: 24 }, (_, at) => post(server.url, bodies[at % bodies.length])));
  delay.disable();
  for (const { status } of replies) expect([413, 422]).toContain(status);
  expect(delay.max / 1e6).toBeLessThan(1000);
});

test("a large context does not hold up the event loop", async () => {
  const context = longText(80_000);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const large = post(server.url, { ...one, context, doc_stride: 16 });
  await until(async () => (await metric(server.url, 'lectern_queue_depth{model="tiny"}')) === 1);
  delay.enable();
  expect((await large).status).toBe(200);
  delay.disable();
  expect(delay.max / 1e6).toBeLessThan(100);
});
