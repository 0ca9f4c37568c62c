/**
 * A program that runs in either of two ways: one run at a time on all threads, or many at once with a thread for each, as many as there are
 * queues. Threads that share a run wait for each other at every operator; threads with runs of their own do not.
 */
import { InternalError } from "../../errors.js";
import { mostQueues, type Program, type Queue, queuesOf, type Runtime } from "./runtime.js";
import { sharedQueue } from "./shared-queue.js";

/** A program, and the queue to submit its runs to. */
export interface Lane {
  readonly program: Program;
  readonly queue: Queue;
}

/** Has a run made by a lane. Rejects once the lanes were released. */
export type RunOnLane = <T>(run: (lane: Lane) => Promise<T>) => Promise<T>;

export interface Lanes {
  /** Computes on all threads. */
  readonly program: Program;
  /** Runs on all threads, one after the other in the order of the calls. */
  readonly one: RunOnLane;
  /**
   * Runs on one thread each. `atOnce` says how many should be asked for at a time: two for each thread, so that the next is there when one ends;
   * one where the runtime has one thread or very many, which then share each run.
   */
  many(): Promise<{ readonly atOnce: number; readonly run: RunOnLane }>;
  /** Gives the programs back, once the runs asked for before have ended. */
  release(): void;
}

/** @param compile makes the program, for one thread or for all; that for one thread only when it is needed */
export async function openLanes(runtime: Runtime, compile: (singleThreaded: boolean) => Promise<Program>): Promise<Lanes> {
  const whole: Lane = { program: await compile(false), queue: sharedQueue() };
  const running = new Map<Lane, number>();
  let isReleased = false;
  let single: Promise<readonly Lane[]> | undefined;

  const runOn = async <T>(lane: Lane, run: (lane: Lane) => Promise<T>): Promise<T> => {
    if (isReleased) throw new InternalError("a run was asked for after release()");
    running.set(lane, (running.get(lane) ?? 0) + 1);
    try {
      return await run(lane);
    } finally {
      running.set(lane, running.get(lane)! - 1);
      if (isReleased && isIdle()) give();
    }
  };
  const isIdle = () => [...running.values()].every((count) => count === 0);
  const give = () => {
    whole.program.release();
    single?.then(([{ program }]) => program.release(), () => undefined); // a failure was told to whoever asked for it
  };
  const openSingle = async () => {
    const [program, queues] = await Promise.all([compile(true), queuesOf(runtime)]);
    return queues.map((queue): Lane => ({ program, queue }));
  };
  return {
    program: whole.program,
    one: (run) => runOn(whole, run),
    many: async () => {
      if (runtime.threads === 1 || runtime.threads > mostQueues) return { atOnce: 1, run: (run) => runOn(whole, run) };
      const lanes = await (single ??= openSingle());
      const load = (lane: Lane) => running.get(lane) ?? 0;
      return { atOnce: 2 * lanes.length, run: (run) => runOn(lanes.reduce((least, lane) => (load(lane) < load(least) ? lane : least)), run) };
    },
    release: () => {
      if (isReleased) return;
      isReleased = true;
      if (isIdle()) give();
    },
  };
}
