/**
 * Load on a server of questions. Arrivals are a Poisson process: requests come when they come, whether or not others have been answered, so
 * that a slow moment is felt by all who arrive in it (a client that waits for each reply before it asks again would hide it).
 */
import { Agent, request } from "node:http";

/** A question, and what the server ought to answer. */
export interface LoadItem {
  readonly body: string;
  readonly expected: { answer: string; start: number; end: number; score: number };
}

export interface LoadResult {
  /** Requests a second that were sent. */
  offered: number;
  /** Replies by status; "failed" where there was none. */
  statuses: Record<string, number>;
  /** Milliseconds from the sending of a request to its whole reply, of those that were answered 200. */
  median: number;
  p99: number;
  /** Answers that are not the expected ones. */
  different: number;
}

/**
 * Sends requests at random times for so many seconds, and waits for all replies.
 * @param rate requests a second, on average
 * @param random numbers in [0, 1)
 */
export async function sendLoad(url: string, items: readonly LoadItem[], rate: number, seconds: number, random: () => number): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const statuses: Record<string, number> = {};
  const times: number[] = [];
  let different = 0;
  const pending = new Set<Promise<void>>();
  const started = performance.now();
  let [due, sent] = [started, 0];
  while (due < started + 1000 * seconds) {
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const item = items[sent++ % items.length];
    const begun = performance.now();
    const one: Promise<void> = post(agent, url, item.body)
      .then(({ status, text }) => {
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status !== 200) return;
        times.push(performance.now() - begun);
        if (!isSame(JSON.parse(text) as LoadItem["expected"], item.expected)) different++;
      })
      .catch(() => void (statuses["failed"] = (statuses["failed"] ?? 0) + 1))
      .finally(() => void pending.delete(one));
    pending.add(one);
    due += (-1000 * Math.log(1 - random())) / rate;
  }
  await Promise.all(pending);
  agent.destroy();
  times.sort((a, b) => a - b);
  const quantile = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? NaN;
  return { offered: sent / seconds, statuses, median: quantile(0.5), p99: quantile(0.99), different };
}

/** Padding differs from batch to batch, and with it the last digits of a score. */
function isSame(given: LoadItem["expected"], { answer, start, end, score }: LoadItem["expected"]): boolean {
  return given.answer === answer && given.start === start && given.end === end && Math.abs(given.score - score) < 1e-4;
}

function post(agent: Agent, url: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sending = request(`${url}/v1/question-answering`, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (data: string) => (text += data));
      response.on("end", () => resolve({ status: response.statusCode!, text })).on("error", reject);
    });
    sending.on("error", reject).end(body);
  });
}
