import { describe, expect, test } from "vitest";
import { type ScheduleType, createSchedule, warmupSteps } from "./schedule.js";

/** Rates of each step from transformers 5.23 `get_scheduler` over torch's SGD. */
const golden: { type: ScheduleType; learningRate: number; warmupSteps: number; totalSteps: number; rates: number[] }[] = [
  {
    type: "linear",
    learningRate: 2e-5,
    warmupSteps: 0,
    totalSteps: 10,
    rates: [
      2e-5, 1.8e-5, 1.6000000000000003e-5, 1.4e-5, 1.2e-5, 1e-5, 8.000000000000001e-6, 6e-6, 4.000000000000001e-6, 2.0000000000000003e-6,
    ],
  },
  {
    type: "linear",
    learningRate: 0.00012,
    warmupSteps: 3,
    totalSteps: 10,
    rates: [
      0, 3.9999999999999996e-5, 7.999999999999999e-5, 0.00012, 0.00010285714285714286, 8.571428571428571e-5, 6.857142857142857e-5,
      5.142857142857143e-5, 3.4285714285714284e-5, 1.7142857142857142e-5,
    ],
  },
  {
    type: "cosine",
    learningRate: 5e-5,
    warmupSteps: 2,
    totalSteps: 12,
    rates: [
      0, 2.5e-5, 5e-5, 4.877641290737884e-5, 4.522542485937369e-5, 3.969463130731183e-5, 3.272542485937369e-5, 2.5e-5,
      1.7274575140626318e-5, 1.0305368692688174e-5, 4.7745751406263165e-6, 1.2235870926211619e-6,
    ],
  },
  {
    type: "cosine",
    learningRate: 0.001,
    warmupSteps: 0,
    totalSteps: 7,
    rates: [
      0.001, 0.0009504844339512095, 0.0008117449009293668, 0.0006112604669781572, 0.00038873953302184284, 0.00018825509907063325,
      4.9515566048790485e-5,
    ],
  },
  { type: "constant", learningRate: 0.0003, warmupSteps: 0, totalSteps: 5, rates: [0.0003, 0.0003, 0.0003, 0.0003, 0.0003] },
  {
    type: "constant_with_warmup",
    learningRate: 0.0003,
    warmupSteps: 4,
    totalSteps: 8,
    rates: [0, 7.5e-5, 0.00015, 0.000225, 0.0003, 0.0003, 0.0003, 0.0003],
  },
];

describe("schedules give transformers' numbers", () => {
  test.each(golden)("$type, $warmupSteps of $totalSteps steps of warm-up", ({ rates, ...options }) => {
    const schedule = createSchedule(options);
    rates.forEach((rate, step) => expect(schedule(step)).toBeCloseTo(rate, 15));
  });

  test("steps win over a ratio, which is rounded up", () => {
    expect(warmupSteps({ warmup_steps: 7, warmup_ratio: 0 }, 100)).toBe(7);
    expect(warmupSteps({ warmup_steps: 0, warmup_ratio: 0.1 }, 101)).toBe(11);
  });
});
