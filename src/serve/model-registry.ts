/**
 * The models that are served, by name, and which of them are in memory. With a ceiling a model is loaded when it is first asked, and what was
 * used longest ago makes room: it answers the requests that it has, ends its process, and comes back when it is asked again. Names
 * are looked up here and nowhere else; none of them ever becomes a path.
 */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { isWeightFile } from "../checkpoint/weight-files.js";
import { LecternError } from "../errors.js";
import { HttpError } from "./http-error.js";
import type { ModelSource } from "./inference-process.js";
import { ModelService, type ServiceEvents, type ServiceOptions } from "./model-service.js";

export interface RegistryOptions extends ServiceOptions {
  /** Bytes that all processes may take together. */
  readonly maxMemory?: number;
}

/** What a process takes beside its weights, in bytes: Node, the runtime, the tokenizer, a batch's activations. */
const memoryOfProcess = 200e6;

export class ModelRegistry {
  readonly services: readonly ModelService[];
  private readonly byName: ReadonlyMap<string, ModelService>;
  /** Those that wait for memory, the first to ask first. */
  private waiting: ModelService[] = [];
  /** A model is on its way into memory in place of another. */
  isMakingRoom = false;
  private isClosed = false;

  /**
   * @param sources of the models, by name
   * @throws LecternError SERVE_MEMORY when a model cannot fit below the ceiling
   */
  constructor(
    sources: ReadonlyMap<string, ModelSource>,
    private readonly options: RegistryOptions,
    events: Omit<ServiceEvents, "needed">,
  ) {
    const { maxMemory = Infinity } = options;
    this.services = [...sources].map(([name, source]) => {
      const estimate = memoryOfProcess + weightBytes(source.folder);
      if (estimate > maxMemory) throw tooLarge(name, estimate, maxMemory);
      const needed = (service: ModelService): void => void this.load(service).catch(() => {}); // its requests are told by the service
      const ran: ServiceEvents["ran"] = (service, batch) => {
        events.ran(service, batch);
        if (this.isTooMuch()) void this.makeRoom();
      };
      return new ModelService(name, source, estimate, options, { ...events, needed, ran });
    });
    this.byName = new Map(this.services.map((service) => [service.name, service]));
  }

  /**
   * The model of that name; the first without a name.
   * @throws HttpError MODEL_NOT_FOUND
   */
  find(name: string | undefined): ModelService {
    const service = name === undefined ? this.services[0] : this.byName.get(name);
    if (service !== undefined) return service;
    const served = [...this.byName.keys()];
    throw new HttpError("MODEL_NOT_FOUND", `No model of that name is served. There ${served.length === 1 ? "is" : "are"}: ${served.join(", ")}.`, { served });
  }

  /** Loads the models in their order as far as the ceiling allows; the others come when they are asked. */
  async loadFirst(): Promise<void> {
    for (const service of this.services) if (this.fits(service)) await this.load(service);
  }

  /** Answers everything that waits, for at most so many milliseconds. */
  async finish(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
    await Promise.race([Promise.all(this.services.map((service) => service.empty())), late]);
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.waiting = [];
    await Promise.all(this.services.map((service) => service.close()));
  }

  private async load(service: ModelService): Promise<void> {
    if (this.isClosed) return;
    if (this.fits(service)) return service.start();
    if (!this.waiting.includes(service)) this.waiting.push(service);
    await this.makeRoom();
  }

  /** One model after the other ends, until there is room for those that wait and no more is taken than may be. */
  private async makeRoom(): Promise<void> {
    if (this.isMakingRoom) return;
    this.isMakingRoom = true;
    try {
      while ((this.waiting.length > 0 || this.isTooMuch()) && !this.isClosed) {
        const next: ModelService | undefined = this.waiting[0];
        const oldest = this.loaded()
          .filter((one) => one !== next)
          .sort(byUse)
          .at(0);
        if (next !== undefined && (this.fits(next) || oldest === undefined)) {
          this.waiting.shift();
          await next.start().catch(() => {}); // its requests are told by the service
        } else await oldest?.retire();
      }
    } finally {
      this.isMakingRoom = false;
    }
  }

  /** Models grow while they run: a larger batch than ever before. A single one may. */
  private isTooMuch(): boolean {
    const loaded = this.loaded();
    return loaded.length > 1 && loaded.reduce((sum, { memory }) => sum + memory, 0) > (this.options.maxMemory ?? Infinity);
  }

  private loaded(): ModelService[] {
    return this.services.filter(({ state }) => state !== "stopped");
  }

  private fits(service: ModelService): boolean {
    const { maxMemory = Infinity } = this.options;
    const others = this.loaded().filter((one) => one !== service);
    return others.reduce((sum, { memory }) => sum + memory, service.memory) <= maxMemory;
  }
}

/** Those without requests before those with, then by when they were last used. */
function byUse(a: ModelService, b: ModelService): number {
  return Number(a.depth > 0) - Number(b.depth > 0) || a.lastUsed - b.lastUsed;
}

/** The size of a folder's weights, of several ONNX files the largest; 0 where there are none, which loading it will tell. */
function weightBytes(folder: string): number {
  const sizes = (place: string, isWanted: (name: string) => boolean): number[] =>
    statSync(place, { throwIfNoEntry: false })?.isDirectory() === true
      ? readdirSync(place)
          .filter(isWanted)
          .map((name) => statSync(path.join(place, name), { throwIfNoEntry: false })?.size ?? 0)
      : [];
  const sum = (numbers: number[]): number => numbers.reduce((total, size) => total + size, 0);
  const isOnnx = (name: string): boolean => name.endsWith(".onnx");
  const weights = sum(sizes(folder, (name) => name.endsWith(".safetensors"))) || sum(sizes(folder, isWeightFile));
  return weights > 0 ? weights : Math.max(0, ...sizes(path.join(folder, "onnx"), isOnnx), ...sizes(folder, isOnnx));
}

function tooLarge(name: string, bytes: number, ceiling: number): LecternError {
  const megabytes = (count: number): string => `${Math.ceil(count / 1e6)} MB`;
  return new LecternError("SERVE_MEMORY", {
    message: `The model ${name} does not fit into the memory that the server may use.`,
    expected: `at most ${megabytes(ceiling)}`,
    received: `about ${megabytes(bytes)} for this model alone`,
    next: "Raise --max-memory, or serve a smaller model.",
  });
}
