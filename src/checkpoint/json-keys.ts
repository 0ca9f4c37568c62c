/**
 * JSON.parse keeps the last of two equal keys without a word. In a checkpoint's header that would be a tensor that silently shadows
 * another, so files whose keys matter are also walked once for repeated keys.
 */

/**
 * The first key that stands twice in one object of a text that JSON.parse has accepted, or undefined.
 * @param depth how many levels of nested objects to look at: 1 is the outermost object alone
 */
export function findRepeatedKey(json: string, depth: number): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each object around here; undefined for an array or past `depth`
  let position = 0;
  while (position < json.length) {
    const character = json[position];
    if (character === "{") open.push(open.length < depth ? new Set() : undefined);
    else if (character === "[") open.push(undefined);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const end = stringEnd(json, position);
      const keys = open.at(-1);
      if (keys && followedByColon(json, end)) {
        const key = JSON.parse(json.slice(position, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      position = end;
      continue;
    }
    position++;
  }
  return undefined;
}

/** The position after the closing quote of the string that opens at `start`. */
function stringEnd(json: string, start: number): number {
  let quote = start;
  for (;;) {
    quote = json.indexOf('"', quote + 1);
    if (quote < 0) return json.length;
    let backslashes = 0;
    while (json[quote - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
}

function followedByColon(json: string, position: number): boolean {
  while (position < json.length && " \t\r\n".includes(json[position])) position++;
  return json[position] === ":";
}
