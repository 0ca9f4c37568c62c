/**
 * One served model: its requests, the process that runs them, and what happens when that process ends. A request is tokenised as it comes,
 * waits with its windows, and takes part in batches (batch.ts) until its last window has run.
 *
 * After a crash the process is started again, with growing pauses, and every request is run again. Those that were being worked on are
 * suspects: each is then run alone, so that a second crash names the one that caused it. It is answered with an error, the others with
 * their answers. So are those of a batch that failed without a crash.
 */
import { InternalError, LecternError } from "../errors.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import { nextBatch } from "./batch.js";
import { HttpError } from "./http-error.js";
import { type InferenceProcess, type ModelSource, type ProcessOptions, startInferenceProcess } from "./inference-process.js";
import type { BatchPart, FromProcess, Reading, SentError } from "./messages.js";

export interface ServiceOptions extends ProcessOptions {
  readonly batchTokens: number;
  readonly maxQueue: number;
  readonly maxQueueCharacters: number;
  readonly maxRequestTokens: number;
  /** Milliseconds after which a batch, or the tokenising of a request, counts as hanging and its process is killed. */
  readonly patience: number;
}

/** What others want to know of. */
export interface ServiceEvents {
  /** There are requests, and no process. */
  needed(service: ModelService): void;
  /** @param isTrained false where parameters of the head were missing: its answers are random */
  loaded(service: ModelService, isTrained: boolean): void;
  ran(service: ModelService, batch: { tokens: number; windows: number }): void;
  crashed(service: ModelService, how: string, pause: number): void;
  notLoaded(service: ModelService, error: Error): void;
}

export interface Answered {
  /** Of each question, the best first. */
  readonly answers: readonly Answer[][];
  readonly windows: number;
  readonly tokens: number;
}

interface Job {
  readonly id: number;
  readonly reading: Reading;
  readonly characters: number;
  readonly since: number;
  readonly settle: { resolve(answered: Answered): void; reject(error: Error): void };
  crashes: number;
  /** A batch of it and others failed, and which of them is to blame is found out by running each alone. */
  isSuspect: boolean;
  stage: "waiting" | "sent" | "ready";
  lengths: readonly number[];
  /** Windows before this one have run or are running. */
  next: number;
}

/** Requests tokenised at once: each may be what makes the process crash. */
const preparedAtOnce = 4;
const [firstPause, longestPause] = [250, 30_000];
/** Crashes or failures to load one after the other, without a batch between them, after which waiting requests are given up. */
const mostFailures = 4;
/** How long a model that could not be loaded is not tried again. */
const secondsUnavailable = 10;

export class ModelService {
  state: "stopped" | "loading" | "ready" | "pausing" = "stopped";
  /** Resident memory of the process in bytes, as last told; before it was ever loaded, an estimate. */
  memory: number;
  lastUsed = 0;
  /** Set while the model must make room for another: requests up to this one are still answered. */
  private retiringAfter: number | undefined;
  private process: InferenceProcess | undefined;
  private readonly jobs = new Map<number, Job>();
  private batch: readonly BatchPart[] | undefined;
  private batchSince = Infinity;
  /** Requests that the process tokenises, cancelled ones among them, and since when. */
  private readonly tokenising = new Map<number, number>();
  /** Why the model could not be loaded, and until when it is not tried again. */
  private unavailable: { error: HttpError; until: number } | undefined;
  private characters = 0;
  private nextId = 1;
  /** Crashes and failures to load since the last batch that succeeded. */
  private failures = 0;
  private watchdog: NodeJS.Timeout | undefined;
  private restart: NodeJS.Timeout | undefined;
  private starting: { resolve(): void; reject(error: Error): void }[] = [];
  private emptied: { upTo: number; resolve(): void }[] = [];
  /** Mean seconds that the last requests took. */
  private usualSeconds = 1;

  constructor(
    readonly name: string,
    private readonly source: ModelSource,
    estimatedMemory: number,
    private readonly options: ServiceOptions,
    private readonly events: ServiceEvents,
  ) {
    this.memory = estimatedMemory;
  }

  /** Requests that wait or run. */
  get depth(): number {
    return this.jobs.size;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  /**
   * Answers a request.
   * @param signal gives up its place; its reason is what the promise rejects with
   * @throws HttpError QUEUE_FULL, MODEL_UNAVAILABLE, INFERENCE_CRASHED; LecternError where options do not fit the model
   */
  answer(reading: Reading, signal: AbortSignal): Promise<Answered> {
    const characters = reading.questions.reduce((sum, { question, context }) => sum + question.length + context.length, 0);
    const { maxQueue, maxQueueCharacters } = this.options;
    if (this.jobs.size >= maxQueue || (this.jobs.size > 0 && this.characters + characters > maxQueueCharacters)) {
      const seconds = Math.min(60, Math.max(1, Math.ceil(this.usualSeconds)));
      throw new HttpError("QUEUE_FULL", `As many requests wait for ${this.name} as may: try again in ${seconds} s.`, {}, seconds);
    }
    if (this.state === "stopped" && this.unavailable !== undefined && performance.now() < this.unavailable.until) throw this.unavailable.error;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      const onAbort = (): void => {
        this.forget(id);
        this.finish(id, (job) => job.settle.reject(signal.reason as Error));
        this.pump();
      };
      const over = (): void => signal.removeEventListener("abort", onAbort);
      const settle = { resolve: (answered: Answered) => (over(), resolve(answered)), reject: (error: Error) => (over(), reject(error)) };
      signal.addEventListener("abort", onAbort, { once: true });
      this.jobs.set(id, { id, reading, characters, since: performance.now(), settle, crashes: 0, isSuspect: false, stage: "waiting", lengths: [], next: 0 });
      this.characters += characters;
      this.lastUsed = performance.now();
      if (this.state === "stopped") this.events.needed(this);
      else this.pump();
    });
  }

  /**
   * Starts the process; resolves when the model is loaded.
   * @throws LecternError of the model's folder
   */
  start(): Promise<void> {
    if (this.state === "ready") return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.starting.push({ resolve, reject });
      if (this.state === "stopped") this.launch();
    });
  }

  /** Answers what has come so far and ends the process; what comes meanwhile waits until it is started again. */
  async retire(): Promise<void> {
    this.retiringAfter = this.nextId - 1;
    await this.empty(this.retiringAfter);
    await this.stop();
    this.retiringAfter = undefined;
    if (this.jobs.size > 0) this.events.needed(this);
  }

  /** Resolves when no request waits or runs, of those up to this number. */
  empty(upTo = Infinity): Promise<void> {
    return new Promise((resolve) => {
      this.emptied.push({ upTo, resolve });
      this.tellEmptied();
    });
  }

  /** Ends the process and gives up what waits or runs. */
  async close(): Promise<void> {
    const error = new HttpError("SHUTTING_DOWN", "The server is shutting down.");
    this.giveUp(error);
    for (const { reject } of this.starting.splice(0)) reject(error);
    await this.stop();
  }

  private async stop(): Promise<void> {
    clearTimeout(this.restart);
    clearTimeout(this.watchdog);
    const ending = this.process;
    this.process = undefined;
    this.clearWork();
    this.state = "stopped";
    await ending?.stop();
  }

  /** What a process was doing when it ended. */
  private clearWork(): void {
    this.batch = undefined;
    this.batchSince = Infinity;
    this.tokenising.clear();
    clearTimeout(this.watchdog);
  }

  private launch(): void {
    this.state = "loading";
    const process = startInferenceProcess(this.source, this.options, {
      onMessage: (message) => this.process === process && this.receive(message),
      onEnd: (how) => this.process === process && this.ended(how),
    });
    this.process = process;
  }

  private receive(message: FromProcess): void {
    switch (message.type) {
      case "loaded":
        this.memory = message.residentBytes;
        this.state = "ready";
        this.events.loaded(this, message.isTrained);
        for (const { resolve } of this.starting.splice(0)) resolve();
        break;
      case "notLoaded":
        this.notLoaded(asError(message.error));
        break;
      case "prepared":
        this.tokenising.delete(message.id);
        this.update(message.id, (job) => Object.assign(job, { stage: "ready", lengths: message.lengths }));
        break;
      case "refused":
        this.tokenising.delete(message.id);
        this.finish(message.id, ({ settle }) => settle.reject(asError(message.error)));
        break;
      case "ran":
        this.memory = message.residentBytes;
        this.failures = 0;
        this.batch = undefined;
        this.batchSince = Infinity;
        for (const { id, answers } of message.answered) this.finish(id, (job) => this.succeed(job, answers));
        break;
      case "failed": {
        const parts = this.batch ?? [];
        this.batch = undefined;
        this.batchSince = Infinity;
        for (const { id, from } of parts) {
          if (parts.length > 1) this.update(id, (job) => Object.assign(job, { isSuspect: true, next: from }));
          else {
            this.forget(id);
            this.finish(id, ({ settle }) => settle.reject(asError(message.error)));
          }
        }
        break;
      }
    }
    this.pump();
  }

  private succeed(job: Job, answers: Answer[][]): void {
    const seconds = (performance.now() - job.since) / 1000;
    this.usualSeconds += 0.1 * (seconds - this.usualSeconds);
    job.settle.resolve({ answers, windows: job.lengths.length, tokens: job.lengths.reduce((sum, length) => sum + length, 0) });
  }

  /** Gives the process what it can do now. */
  private pump(): void {
    if (this.state !== "ready") return;
    const { retiringAfter = Infinity } = this;
    const open = [...this.jobs.values()].filter(({ id }) => id <= retiringAfter);
    const suspect = open.find(({ crashes, isSuspect }) => crashes > 0 || isSuspect);
    const isAlone = this.batch === undefined && [...this.tokenising.keys()].every((id) => id === suspect?.id);
    const chosen = suspect === undefined ? open : isAlone ? [suspect] : [];
    for (const job of chosen) {
      if (this.tokenising.size >= preparedAtOnce) break;
      if (job.stage !== "waiting") continue;
      job.stage = "sent";
      this.tokenising.set(job.id, performance.now());
      this.process!.send({ type: "prepare", id: job.id, reading: job.reading, maxTokens: this.options.maxRequestTokens });
    }
    if (this.batch === undefined) this.runNext(chosen.filter(({ stage, next, lengths }) => stage === "ready" && next < lengths.length));
    this.watch();
  }

  private runNext(ready: readonly Job[]): void {
    const batch = nextBatch(ready, this.options.batchTokens);
    if (batch.length === 0) return;
    this.batch = batch;
    this.batchSince = performance.now();
    let [tokens, windows] = [0, 0];
    for (const { id, from, to } of batch) {
      const job = this.jobs.get(id)!;
      job.next = to;
      windows += to - from;
      for (const length of job.lengths.slice(from, to)) tokens += length;
    }
    this.lastUsed = performance.now();
    this.process!.send({ type: "run", windows: batch });
    this.events.ran(this, { tokens, windows });
  }

  /** A process that takes too long for a batch or a request's tokens is killed; that counts as a crash. */
  private watch(): void {
    clearTimeout(this.watchdog);
    const since = Math.min(this.batchSince, ...this.tokenising.values());
    if (since === Infinity) return;
    const { process } = this;
    this.watchdog = setTimeout(() => process?.kill(), since + this.options.patience - performance.now()).unref();
  }

  private ended(how: string): void {
    const wasLoading = this.state === "loading";
    const suspects = new Set([...(this.batch ?? []).map(({ id }) => id), ...this.tokenising.keys()]);
    this.process = undefined;
    this.clearWork();
    this.failures++;
    for (const job of this.jobs.values()) {
      if (suspects.has(job.id)) job.crashes++;
      Object.assign(job, { stage: "waiting", lengths: [], next: 0 });
    }
    for (const job of [...this.jobs.values()].filter(({ crashes }) => crashes > 1)) {
      this.finish(job.id, ({ settle }) => settle.reject(new HttpError("INFERENCE_CRASHED", "The inference process crashed on this request twice.")));
    }
    if (wasLoading && this.failures >= mostFailures) {
      this.notLoaded(new InternalError(`the inference process of ${this.name} ends while it loads: ${how}`));
      return;
    }
    const pause = this.failures === 1 ? 0 : Math.min(longestPause, firstPause * 2 ** (this.failures - 2));
    this.events.crashed(this, how, pause);
    this.state = "pausing";
    this.restart = setTimeout(() => this.launch(), pause);
  }

  private notLoaded(error: Error): void {
    this.process = undefined;
    this.state = "stopped";
    for (const { reject } of this.starting.splice(0)) reject(error);
    const why = error instanceof LecternError ? ` (${error.code})` : "";
    const unavailable = new HttpError("MODEL_UNAVAILABLE", `The model ${this.name} could not be loaded${why}.`, {}, secondsUnavailable);
    this.unavailable = { error: unavailable, until: performance.now() + 1000 * secondsUnavailable };
    this.failures = 0;
    this.giveUp(unavailable);
    this.events.notLoaded(this, error);
  }

  private giveUp(error: Error): void {
    for (const id of [...this.jobs.keys()]) this.finish(id, ({ settle }) => settle.reject(error));
  }

  private update(id: number, change: (job: Job) => unknown): void {
    const job = this.jobs.get(id);
    if (job !== undefined) change(job);
  }

  /** Its windows are of no use any more. */
  private forget(id: number): void {
    this.update(id, ({ stage }) => stage !== "waiting" && this.process?.send({ type: "forget", id }));
  }

  private finish(id: number, settle: (job: Job) => void): void {
    this.update(id, (job) => {
      this.jobs.delete(id);
      this.characters -= job.characters;
      settle(job);
      this.tellEmptied();
    });
  }

  private tellEmptied(): void {
    if (this.emptied.length === 0) return;
    const [oldest = Infinity] = this.jobs.keys(); // numbers grow, and a Map keeps their order
    const isOver = ({ upTo }: { upTo: number }): boolean => oldest > upTo || this.jobs.size === 0;
    for (const { resolve } of this.emptied.filter(isOver)) resolve();
    this.emptied = this.emptied.filter((one) => !isOver(one));
  }
}

function asError({ message, stack, code, detail }: SentError): Error {
  if (code !== undefined) return new LecternError(code, detail!);
  return Object.assign(new Error(message), { stack });
}
