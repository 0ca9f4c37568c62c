/** The page in a real Chromium: it asks the network for nothing, runs nothing but its own script, and is usable by keyboard and screen reader. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromium, launchChromium } from "../../../test/chromium.js";
import { count, hostile, reportInput } from "../../../test/report-input.js";
import { contextParts, shownExamples } from "./page-examples.js";
import type { OrderName } from "./orders.js";
import { buildReport } from "./report-data.js";
import { writeReport } from "./write-report.js";

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string }[];
}

describe.skipIf(!chromium)("a report in Chromium (needs Chromium)", () => {
  let folder: string;
  let browser: Browser;
  let axe: string;
  const pages: Record<string, string> = {};
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "lectern-page-"));
    axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    for (const version of ["1.1", "2.0"] as const) pages[version] = (await writeReport(path.join(folder, version), reportInput(version))).page;
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  /** Opens a report; what it asks for and complains of is collected. */
  async function open(version: "1.1" | "2.0", options: { width?: number; colorScheme?: "light" | "dark" } = {}) {
    const { width = 1280, colorScheme = "light" } = options;
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(pages[version]).href);
    return { page, complaints, requests };
  }

  const cards = (page: Page) => page.locator("#list > li");

  test.each(["1.1", "2.0"] as const)("has no error, makes no request, and harmful texts are only texts (SQuAD %s)", async (version) => {
    const { page, complaints, requests } = await open(version);
    await page.getByLabel("Search").fill("rome");
    for (let turn = 0; turn < 3; turn++) await page.getByRole("button", { name: "Next" }).click();
    for (const button of await page.getByRole("button", { name: "Whole context" }).all()) await button.click();
    for (const details of await page.locator("details > summary").all()) await details.click();
    expect(complaints).toEqual([]);
    expect(requests).toEqual([pathToFileURL(pages[version]).href]);
    expect(await page.title()).toBe(`Evaluation of one ${hostile[0]}`);
    expect(await page.locator("img, iframe, object, embed, link[rel=stylesheet], script:not(#data):not(:last-of-type)").count()).toBe(0);
    expect(await page.evaluate("document.scripts.length")).toBe(2);
    await page.close();
  });

  test.each([
    ["1.1", "light", 1280],
    ["1.1", "dark", 375],
    ["2.0", "dark", 1280],
    ["2.0", "light", 375],
  ] as const)("passes axe and fits its window (SQuAD %s, %s, %i pixels)", async (version, colorScheme, width) => {
    const { page } = await open(version, { width, colorScheme });
    await page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))");
    const violations = (await page.evaluate(`${axe}; axe.run().then(({ violations }) => violations)`)) as Violation[];
    expect(violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes[0].html}`)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
    const shown = await page.evaluate("[...document.querySelectorAll('svg.chart')].filter((one) => one.getClientRects().length > 0).length");
    expect(shown).toBe((await page.locator("svg.chart").count()) / 2); // each chart in one of its two widths
    await page.close();
  });

  test("is light or dark as the system wishes, and as the button says", async () => {
    const { page } = await open("1.1", { colorScheme: "dark" });
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const bar = () => page.evaluate("getComputedStyle(document.querySelector('svg.chart path[fill^=\"var(--chart-1)\"]')).fill");
    const [dark, darkBar] = [await background(), await bar()];
    const button = page.getByRole("button", { name: "Light colours" });
    await button.focus();
    await page.keyboard.press("Enter");
    expect(await background()).not.toBe(dark);
    expect(await bar()).not.toBe(darkBar);
    await page.getByRole("button", { name: "Dark colours" }).click();
    expect([await background(), await bar()]).toEqual([dark, darkBar]);
    await page.close();
  });

  test("shows the worst examples first, with gold answers and prediction marked where they stand", async () => {
    const { page } = await open("1.1");
    const input = reportInput("1.1");
    expect(await cards(page).count()).toBe(10);
    const first = cards(page).first();
    const id = (await first.locator(".facts").first().textContent())!.match(/q\d+$/)![0];
    expect(await first.getByText("F1 0.0").count()).toBeGreaterThan(0);
    const example = input.examples.find((one) => one.id === id)!;
    /** The marked words, without what is said to those who hear the page. */
    const marked = (kind: string): Promise<string[]> =>
      page.evaluate(`[...document.querySelectorAll("#list > li:first-child mark.${kind}")].map(wordsOf)`);
    await page.evaluate("wordsOf = (at) => { const copy = at.cloneNode(true); for (const hint of copy.querySelectorAll('.vh')) hint.remove(); return copy.textContent; }");
    expect((await marked("gold")).join("|")).toContain("Ada");
    expect((await marked("predicted")).join("")).toBe(input.model.answers.predictions.get(id));
    expect(await first.locator("mark.predicted .vh").first().textContent()).toContain("predicted");
    await first.getByRole("button", { name: "Whole context" }).click();
    const whole = await page.evaluate('wordsOf(document.querySelector("#list > li:first-child .context"))');
    expect(whole).toBe(example.context);
    await page.close();
  });

  test("finds, filters and orders by keyboard", async () => {
    const { page } = await open("2.0");
    const status = page.locator("#status");
    await expect.poll(() => status.textContent()).toBe(`${count} questions, page 1 of 4`);
    await page.getByLabel("Search").focus();
    await page.keyboard.type("q17");
    await expect.poll(() => status.textContent()).toBe("1 question, page 1 of 1");
    await page.getByLabel("Search").fill("no such text");
    await expect.poll(() => status.textContent()).toBe("No question matches.");
    await page.getByLabel("Search").fill("");
    await page.getByRole("combobox", { name: "Outcome" }).selectOption("should_not_answer");
    expect(await cards(page).locator(".facts", { hasText: "answered without need" }).count()).toBeGreaterThan(0);
    await page.getByRole("combobox", { name: "Outcome" }).selectOption("");
    await page.getByRole("combobox", { name: "Question word" }).selectOption("who");
    expect(await status.textContent()).toMatch(/^8 questions/);
    await page.getByRole("combobox", { name: "Question word" }).selectOption("");
    await page.getByRole("combobox", { name: "Article" }).selectOption(hostile[0]);
    expect(await status.textContent()).toMatch(/^8 questions/);
    await page.getByRole("combobox", { name: "Article" }).selectOption("");
    const { results } = buildReport(reportInput("2.0"));
    const orders = { best: "f1", score_high: "probability" } as const;
    for (const [order, by] of Object.entries(orders)) {
      await page.getByRole("combobox", { name: "Order" }).selectOption(order);
      const first = Number((await cards(page).first().textContent())!.match(/^No\. (\d+)/)![1]);
      expect(results[first - 1][by]).toBe(Math.max(...results.map((result) => result[by])));
    }
    await page.getByRole("combobox", { name: "Order" }).selectOption("data");
    expect(await cards(page).first().textContent()).toMatch(/^No\. 1\D/);
    await page.getByRole("button", { name: "Next" }).focus();
    await page.keyboard.press("Enter");
    expect(await status.textContent()).toBe(`${count} questions, page 2 of 4`);
    await page.close();
  });
});

test("a page of many questions holds the beginning of every order, without a gap, and says how much of it", () => {
  const { examples, model } = reportInput("1.1");
  const many = Array.from({ length: 100 }, (_, copy) => examples.map((example) => ({ ...example, id: `${copy}-${example.id}` }))).flat();
  const copied = <T>(of: ReadonlyMap<string, T>): Map<string, T> => new Map(many.map(({ id }) => [id, of.get(id.slice(id.indexOf("-") + 1))!]));
  const { predictions, nullOdds, nBest } = model.answers;
  const answers = { predictions: copied(predictions), nullOdds: copied(nullOdds), nBest: copied(nBest) };
  const report = buildReport({ examples: many, model: { ...model, answers } });
  const shown = shownExamples(report);
  expect(shown.examples).toHaveLength(3000);
  for (const [name, order] of Object.entries(report.orders)) {
    const complete = shown.complete[name as keyof typeof shown.complete]!;
    expect(complete).toBeGreaterThanOrEqual(500);
    const inOrder = shown.examples.toSorted((a, b) => a.places[name as OrderName]! - b.places[name as OrderName]!);
    expect(inOrder.slice(0, complete).map(({ number }) => number - 1)).toEqual(order.slice(0, complete));
  }
});

describe("a context in the page", () => {
  test("stands whole where it is short", () => {
    const { text, move } = contextParts("a context", [{ start: 2, end: 9 }]);
    expect([text, move({ start: 2, end: 9 })]).toEqual(["a context", [2, 9]]);
  });

  test("is cut to what lies around the answers where it is long, and every answer keeps its text", () => {
    const context = Array.from({ length: 9000 }, (_, i) => `w${i}`).join(" ");
    const spans = [40_000, 12, 20_000, 20_900].map((start) => ({ start, end: start + 30 }));
    const { text, move } = contextParts(context, spans);
    expect(text.length).toBeLessThan(8000);
    for (const span of spans) expect(text.slice(...move(span))).toBe(context.slice(span.start, span.end));
    expect(contextParts(context, []).text.length).toBeLessThan(1000);
  });
});
