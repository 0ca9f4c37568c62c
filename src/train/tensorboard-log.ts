/** Training events as TensorBoard shows them, under the tags of Hugging Face's TensorBoardCallback: train/loss, eval/f1, … */
import { writingError } from "../files/system-errors.js";
import type { TrainEvent } from "./events.js";
import { EventFile } from "./tensorboard-records.js";

export class TensorBoardLog {
  private file: EventFile | undefined;

  /** @param folder must exist; `tensorboard --logdir FOLDER` shows it. */
  constructor(private readonly folder: string) {}

  /** Starts a file. What an earlier one in the folder holds of later steps was undone by the resume, or all of it by starting over. */
  open(start: { step: number; recipe: string; histograms: Readonly<Record<string, ArrayLike<number>>> }): void {
    this.writing((file) => {
      file.sessionStart(start.step === 0 ? 0 : start.step + 1);
      file.text("recipe", start.recipe.trimEnd().replace(/^/gm, "    "), start.step); // four spaces: a code block in Markdown
      for (const [tag, values] of Object.entries(start.histograms)) file.histogram(tag, values, start.step);
    });
  }

  write(event: TrainEvent): void {
    if (event.type === "log") {
      this.scalars(event.step, {
        "train/loss": event.loss,
        "train/learning_rate": event.learningRate,
        "train/grad_norm": event.gradientNorm,
        "train/epoch": event.epoch,
        "train/samples_per_second": event.samplesPerSecond,
      });
    } else if (event.type === "evaluation") {
      this.scalars(
        event.step,
        Object.fromEntries(Object.entries(event.metrics).map(([name, value]) => [`eval/${name.replace(/^eval_/, "")}`, value])),
      );
    }
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
  }

  private scalars(step: number, values: Record<string, number>): void {
    this.writing((file) => {
      for (const [tag, value] of Object.entries(values)) file.scalar(tag, value, step);
    });
  }

  private writing(write: (file: EventFile) => void): void {
    try {
      this.file ??= new EventFile(this.folder);
      write(this.file);
    } catch (error) {
      throw writingError(error, this.file?.path ?? this.folder);
    }
  }
}
