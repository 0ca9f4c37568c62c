/**
 * Training events for a person: on a terminal one live line (a bar, the step, the smoothed loss, the rate, samples/s, the time left) below
 * the lines that stay; elsewhere plain lines, one a log entry, evaluation or checkpoint.
 */
import { basename } from "node:path";
import type { TrainEvent } from "./events.js";
import { MovingAverage, formatDuration } from "./progress.js";

/** The part of a stream that the display uses; process.stderr is one. */
export interface DisplayStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** A live line is drawn at most this often, in milliseconds. */
const redrawEvery = 80;

export class ProgressDisplay {
  private totalSteps = 0;
  private readonly loss = new MovingAverage(20);
  private readonly secondsPerStep = new MovingAverage(20);
  private readonly samplesPerStep = new MovingAverage(20);
  private evaluationStarted: number | undefined;
  private drawnAt = -Infinity;
  private live = "";

  /** @param now milliseconds, any origin. */
  constructor(
    private readonly stream: DisplayStream,
    private readonly now: () => number = () => performance.now(),
  ) {}

  show(event: TrainEvent): void {
    switch (event.type) {
      case "start":
        this.totalSteps = event.totalSteps;
        if (event.resumedFrom !== undefined) this.line(`resuming from ${event.resumedFrom}`);
        for (const note of event.notes) this.line(`note: ${note}`);
        this.line(`training: ${event.totalSteps} steps, ${event.stepsPerEpoch} in an epoch`);
        return;
      case "step":
        this.loss.add(event.loss);
        this.secondsPerStep.add(event.seconds);
        this.samplesPerStep.add(event.samples);
        return this.draw(() => this.stepLine(event.step, event.epoch, event.learningRate), event.step === this.totalSteps);
      case "log":
        if (!this.stream.isTTY)
          this.line(
            `${this.stepOf(event.step)}  ${trainingFigures(event.epoch, event.loss, event.learningRate, event.samplesPerSecond)}  ${this.timeLeft(event.step)}`,
          );
        return;
      case "evaluating":
        this.evaluationStarted ??= this.now();
        return this.draw(() => this.evaluationLine(event.done, event.total), event.done === event.total);
      case "evaluation":
        this.evaluationStarted = undefined;
        return this.line(
          `${this.stepOf(event.step)}  evaluation${event.step === 0 ? " before training" : ""}: ${shownMetrics(event.metrics)}${event.best ? "  (best so far)" : ""}`,
        );
      case "checkpoint": {
        const removed = event.removed.length > 0 ? `, removed ${event.removed.map((folder) => basename(folder)).join(", ")}` : "";
        return this.line(`${this.stepOf(event.step)}  saved ${event.folder}${removed}`);
      }
      case "pushed":
        return this.line(`pushed to ${event.url} (${event.private ? "private" : "public"}), commit ${event.commit.slice(0, 7)}`);
      case "interrupted":
        return this.line(`stopped after step ${event.step}`);
      case "done":
        if (event.stoppedEarly) this.line(`stopped early after step ${event.step}: no improvement any more`);
        for (const problem of event.passedOver ?? []) this.line(`passed over a better checkpoint that is not whole: ${problem}`);
        if (event.loadedBest !== undefined) this.line(`the best model is that of ${event.loadedBest}`);
        return this.close();
      default:
        return event satisfies never;
    }
  }

  /** Writes a line that stays, above the live one. */
  line(text: string): void {
    const { live } = this;
    this.erase();
    this.stream.write(`${text}\n`);
    if (live !== "") this.put(live);
  }

  /** Removes the live line. */
  close(): void {
    this.erase();
  }

  private stepLine(step: number, epoch: number, rate: number): string {
    const samplesPerSecond = this.samplesPerStep.value! / this.secondsPerStep.value!;
    const figures = trainingFigures(epoch, this.loss.value!, rate, samplesPerSecond);
    return this.withBar("train", step / this.totalSteps, `${this.stepOf(step)}  ${figures}  ${this.timeLeft(step)}`);
  }

  private evaluationLine(done: number, total: number): string {
    const seconds = (this.now() - this.evaluationStarted!) / 1000;
    const left = seconds > 0.5 ? `  ${speed(done / seconds)}  ${formatDuration((total - done) / (done / seconds))} left` : "";
    return this.withBar("evaluate", done / total, `${done}/${total}${left}`);
  }

  /** The bar takes what room the figures leave. */
  private withBar(label: string, share: number, figures: string): string {
    const room = Math.min(20, this.columns - label.length - figures.length - 3);
    return room < 4 ? figures : `${label} ${bar(share, room)} ${figures}`;
  }

  private get columns(): number {
    return this.stream.columns ?? 80;
  }

  private stepOf(step: number): string {
    return `step ${String(step).padStart(String(this.totalSteps).length)}/${this.totalSteps}`;
  }

  private timeLeft(step: number): string {
    return `${formatDuration((this.totalSteps - step) * (this.secondsPerStep.value ?? 0))} left`;
  }

  private draw(text: () => string, always: boolean): void {
    if (!this.stream.isTTY || (!always && this.now() - this.drawnAt < redrawEvery)) return;
    this.drawnAt = this.now();
    this.put(text());
  }

  private put(text: string): void {
    this.live = text.slice(0, this.columns - 1); // a line that wraps could not be erased
    this.stream.write(`\r\u001b[K${this.live}`);
  }

  private erase(): void {
    if (this.live !== "") this.stream.write("\r\u001b[K");
    this.live = "";
  }
}

function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

function trainingFigures(epoch: number, loss: number, rate: number, samplesPerSecond: number): string {
  return `epoch ${epoch.toFixed(2)}  loss ${loss.toFixed(3)}  rate ${rate.toExponential(1)}  ${speed(samplesPerSecond)}`;
}

/** The loss and what the evaluation says of the answers; how long it took and the like is for the files. */
function shownMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .filter(([name]) => !/^eval_(runtime|samples|features|.*_per_second|(.*_)?total|.*_thresh)$/.test(name))
    .map(([name, value]) => `${name.replace(/^eval_/, "")} ${rounded(value)}`)
    .join("  ");
}

/** At most four digits that mean something. */
function rounded(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

function speed(samplesPerSecond: number): string {
  return `${samplesPerSecond >= 100 ? samplesPerSecond.toFixed(0) : samplesPerSecond.toPrecision(3)} samples/s`;
}
