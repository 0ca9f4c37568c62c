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
        if (!this.stream.isTTY) this.line(`${this.stepOf(event.step)}  ${trainingFigures(event.epoch, event.loss, event.learningRate, event.samplesPerSecond)}  ${this.timeLeft(event.step)}`);
        return;
      case "evaluating":
        this.evaluationStarted ??= this.now();
        return this.draw(() => this.evaluationLine(event.done, event.total), event.done === event.total);
      case "evaluation":
        this.evaluationStarted = undefined;
        return this.line(`${this.stepOf(event.step)}  evaluation${event.step === 0 ? " before training" : ""}: ${shownMetrics(event.metrics)}${event.best ? "  (best so far)" : ""}`);
      case "checkpoint": {
        const removed = event.removed.length > 0 ? `, removed ${event.removed.map((folder) => basename(folder)).join(", ")}` : "";
        return this.line(`${this.stepOf(event.step)}  saved ${event.folder}${removed}`);
      }
      case "interrupted":
        return this.line(`stopped after step ${event.step}`);
      case "done":
        if (event.stoppedEarly) this.line(`stopped early after step ${event.step}: no improvement any more`);
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
    return `train ${bar(step / this.totalSteps)} ${this.stepOf(step)}  ${trainingFigures(epoch, this.loss.value!, rate, samplesPerSecond)}  ${this.timeLeft(step)}`;
  }

  private evaluationLine(done: number, total: number): string {
    const seconds = (this.now() - this.evaluationStarted!) / 1000;
    const speed = seconds > 0.5 ? `  ${rounded(done / seconds)} samples/s  ${formatDuration((total - done) / (done / seconds))} left` : "";
    return `evaluate ${bar(done / total)} ${done}/${total}${speed}`;
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
    this.live = text.slice(0, (this.stream.columns ?? 80) - 1); // a line that wraps could not be erased
    this.stream.write(`\r\u001b[K${this.live}`);
  }

  private erase(): void {
    if (this.live !== "") this.stream.write("\r\u001b[K");
    this.live = "";
  }
}

const barWidth = 20;

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
  return "█".repeat(full) + "░".repeat(barWidth - full);
}

function trainingFigures(epoch: number, loss: number, rate: number, samplesPerSecond: number): string {
  return `epoch ${epoch.toFixed(2)}  loss ${loss.toFixed(4)}  rate ${rate.toExponential(2)}  ${rounded(samplesPerSecond)} samples/s`;
}

/** The loss and what the evaluation says of the answers; how long it took and the like is for the files. */
function shownMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .filter(([name]) => !/^eval_(runtime|samples|features|.*_per_second|.*_total|.*_thresh)$/.test(name))
    .map(([name, value]) => `${name.replace(/^eval_/, "")} ${rounded(value)}`)
    .join("  ");
}

function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(1) : String(Number(value.toPrecision(4)));
}
