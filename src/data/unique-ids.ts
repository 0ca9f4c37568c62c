/**
 * Ids for questions. In a file an id names a question of that file; over several files, and in files with slips, ids repeat, while
 * predictions are written by id. A later question with the id of an earlier one is named by its file as well: `more/17`.
 */
import path from "node:path";

export class UniqueIds {
  readonly #taken = new Set<string>();

  /** The id of a row that has none: the file's name and the row's number in it, from 0. */
  static made(file: string, row: number): string {
    return `${path.parse(file).name}-${row}`;
  }

  /**
   * The id itself where no earlier question has it, else one of its own.
   * @example
   * ids.take("17", "data/more.json"); // "17" the first time, "more/17" the second, "more/17/2" the third
   */
  take(id: string, file: string): string {
    let unique = id;
    for (let n = 1; this.#taken.has(unique); n++) unique = `${path.parse(file).name}/${id}${n === 1 ? "" : `/${n}`}`;
    this.#taken.add(unique);
    return unique;
  }
}
