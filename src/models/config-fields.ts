/**
 * Fields of a config.json that models share. The limits of sizes lie far above any model there is: a larger number is a slip or an attack,
 * and would fill the memory.
 */
import { z } from "zod";

/** A width, a vocabulary or a number of positions. */
export const size = z.number().int().positive().max(2 ** 24);

/** A number of layers: each becomes an entry of the network. */
export const layerCount = z.number().int().positive().max(1024);

/** The id of the padding token; `standard` where the config has none. */
export const padTokenId = (standard: number) =>
  z
    .number()
    .int()
    .nonnegative()
    .nullish()
    .transform((id) => id ?? standard);
