/** How fast a run is and how long it will take: moving averages over the last steps, and durations as people read them. */

/** Average that forgets: each new value counts `1 / horizon`, corrected for the start (as Adam's moments are). */
export class MovingAverage {
  private sum = 0;
  private weight = 0;

  constructor(private readonly horizon: number) {}

  add(value: number): void {
    const keep = 1 - 1 / this.horizon;
    this.sum = keep * this.sum + (1 - keep) * value;
    this.weight = keep * this.weight + (1 - keep);
  }

  /** undefined before the first value. */
  get value(): number | undefined {
    return this.weight > 0 ? this.sum / this.weight : undefined;
  }
}

/** Seconds as 0:07, 2:31 or 1:02:03. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
