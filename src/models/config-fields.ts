/** Sizes in a config.json. Their limits lie far above any model there is: a larger number is a slip or an attack, and would fill the memory. */
import { z } from "zod";

/** A width, a vocabulary or a number of positions. */
export const size = z.number().int().positive().max(2 ** 24);

/** A number of layers: each becomes an entry of the network. */
export const layerCount = z.number().int().positive().max(1024);
