/** The page at / in a real Chromium: asked by mouse and by keyboard alone, by a screen reader's rules, with a text that would like to run. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromium, launchChromium } from "../../test/chromium.js";
import { loadServe } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { createApiKey } from "./api-keys.js";
import type { Server } from "./server.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let folder: string;
let browser: Browser;
let server: Server;
beforeAll(async () => {
  if (chromium === undefined) return;
  folder = await mkdtemp(join(tmpdir(), "lectern-page-"));
  await writeTinyReader(join(folder, "tiny"));
  await writeTinyReader(join(folder, "other"), { seed: 2 });
  const { createServer } = await loadServe();
  server = await createServer({ models: { tiny: join(folder, "tiny"), other: join(folder, "other") }, port: 0, threads: 1 });
  browser = await launchChromium();
}, 60_000);
afterAll(async () => {
  if (chromium === undefined) return;
  await browser?.close();
  await server?.close();
  await rm(folder, { recursive: true });
});

interface Opened {
  page: Page;
  /** What the browser complained of, the violations of the content security policy among it. */
  complaints: string[];
  /** Hosts that were asked for anything. */
  hosts: Set<string>;
}

async function open(options: BrowserContextOptions = {}, url = server.url): Promise<Opened> {
  const page = await (await browser.newContext({ colorScheme: "light", ...options })).newPage();
  const [complaints, hosts]: [string[], Set<string>] = [[], new Set()];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(url);
  return { page, complaints, hosts };
}

const text = "\n  Ada 👩‍💻 wrote the programme\r\nin London, ﷺ after Charles Babbage had designed the machine.";

async function ask(page: Page, context = text, question = "Who wrote it?"): Promise<void> {
  await page.getByLabel("Text", { exact: true }).fill(context);
  await page.getByRole("textbox", { name: "Question" }).fill(question);
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator("mark").waitFor();
}

async function seriousViolations(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate(`(() => { ${axeSource}; return axe.run(); })()`)) as AxeResults;
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical").map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`);
}

describe.skipIf(!chromium)("the page (needs Chromium)", () => {
  test("shows answers where they stand in the text, each by a click", async () => {
    const { page, complaints, hosts } = await open();
    await ask(page);
    const answers = page.locator("#answers button");
    expect(await answers.count()).toBe(3);
    for (let index = 0; index < 3; index++) {
      await answers.nth(index).click();
      expect(await answers.nth(index).getAttribute("aria-pressed")).toBe("true");
      expect(await page.locator("#answers [aria-pressed=true]").count()).toBe(1);
      expect(await page.locator("mark").textContent()).toBe(await answers.nth(index).locator("span").first().textContent());
    }
    expect(await page.locator("#passage").textContent()).toBe(await page.getByLabel("Text", { exact: true }).inputValue());
    await page.getByRole("combobox", { name: "Most answers" }).selectOption("1");
    await page.getByLabel("Model").selectOption("other");
    await page.getByRole("button", { name: "Ask" }).click();
    await expect.poll(() => answers.count()).toBe(1);
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(server.url).host]);
  });

  test("can be used with the keyboard alone, and tells a screen reader what happens", async () => {
    const { page } = await open();
    await page.getByLabel("Model").waitFor();
    const press = async (...keys: string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = (): Promise<string> => page.evaluate("document.activeElement.id || document.activeElement.textContent");
    await press("Tab", "Tab");
    expect(await focused()).toBe("context");
    await page.keyboard.insertText("Ada wrote the programme in London.");
    await press("Tab");
    await page.keyboard.insertText("Who wrote it?");
    await press("Enter");
    const status = page.getByRole("status");
    await expect.poll(() => status.textContent()).toMatch(/^Answer: .+ \(score [<\d. ]+\), the best of 3\.$/);
    expect(await focused()).toBe("question");
    const order: string[] = [];
    for (let step = 0; step < 7; step++) {
      await press("Tab");
      order.push(await focused());
    }
    expect(order.slice(0, 4)).toEqual(["model", "count", "impossible", "ask"]);
    await press("Enter");
    await expect.poll(() => status.textContent()).toBe("Answer 3 of 3 is shown in the text.");
    await press("Tab");
    expect(await focused()).toBe("passage");
    const tree = await page.locator("main").ariaSnapshot();
    expect(tree).toContain('textbox "Text"');
    expect(tree).toMatch(/button "[^"]+" \[pressed\]/);
  });

  test("says what is missing, and goes there", async () => {
    const { page } = await open();
    await page.getByRole("button", { name: "Ask" }).click();
    expect(await page.getByRole("alert").textContent()).toBe("Paste a text first.");
    expect(await page.evaluate("document.activeElement.id")).toBe("context");
    await page.getByLabel("Text", { exact: true }).fill("a text");
    await page.getByRole("button", { name: "Ask" }).click();
    expect(await page.getByRole("alert").textContent()).toBe("Write a question first.");
    await page.getByRole("textbox", { name: "Question" }).fill("x".repeat(3000));
    await page.getByRole("button", { name: "Ask" }).click();
    await expect.poll(() => page.getByRole("alert").textContent()).toMatch(/2000 characters/);
  });

  test("shows a text that would like to run as text", async () => {
    const { page, complaints } = await open();
    const hostile = `<img src=x onerror="window.ran=1"><script>window.ran=1</script><svg onload=window.ran=1> "'><a href="javascript:window.ran=1">x</a>`;
    await ask(page, hostile, `<img src=x onerror="window.ran=1">`);
    for (const button of await page.locator("#answers button").all()) await button.click();
    expect(await page.locator("#passage").textContent()).toBe(hostile);
    expect(await page.locator("#result img, #result script, #result svg, #result a").count()).toBe(0);
    expect(await page.evaluate("window.ran")).toBeUndefined();
    expect(complaints).toEqual([]);
    const policy = (await (await fetch(server.url)).text(), (await fetch(server.url)).headers.get("content-security-policy"));
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).not.toMatch(/unsafe/);
    await page.evaluate(`(() => { const element = document.createElement("script"); element.textContent = "window.ran=1"; document.body.append(element); })()`).catch(() => {});
    expect(await page.evaluate("window.ran")).toBeUndefined();
  });

  test.each([
    { colorScheme: "light", viewport: { width: 1280, height: 900 } },
    { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
    { colorScheme: "light", viewport: { width: 360, height: 740 } },
    { colorScheme: "dark", viewport: { width: 360, height: 740 } },
  ] as const)("has no serious fault for those who see or point otherwise: $colorScheme, $viewport.width wide", async (options) => {
    const { page } = await open(options);
    expect(await seriousViolations(page)).toEqual([]);
    await ask(page, `${text} ${"long".repeat(100)}`);
    await page.locator("#answers button").nth(1).hover();
    expect(await seriousViolations(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  });

  test("asks for an API key where the server wants one", async () => {
    const file = join(folder, "keys.json");
    const key = await createApiKey(file, "page");
    const { createServer } = await loadServe();
    const locked = await createServer({ models: { tiny: join(folder, "tiny") }, port: 0, threads: 1, apiKeys: file });
    try {
      const { page } = await open({}, locked.url);
      await expect.poll(() => page.getByRole("alert").textContent()).toBe("This server wants an API key.");
      await page.getByLabel("API key").fill("wrong");
      await page.getByLabel("API key").blur();
      await expect.poll(() => page.getByRole("alert").textContent()).toBe("This is not a key of this server.");
      await page.getByLabel("API key").fill(key);
      await ask(page);
      expect(await page.getByRole("alert").textContent()).toBe("");
    } finally {
      await locked.close();
    }
  });

  test("the API can be tried at /docs", async () => {
    const { page, complaints } = await open({}, `${server.url}/docs`);
    await page.getByText("Answer questions from a text").click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await expect.poll(() => page.locator(".live-responses-table tbody .response-col_status").first().textContent()).toContain("200");
    expect(complaints).toEqual([]);
  });
});
