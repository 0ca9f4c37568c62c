/**
 * Patterns on paths, as a data set's README has them: `*` and `?` within a name, `**` over folders, `[abc]`, `{a,b}`. A pattern comes from
 * strangers, so it is not made a regular expression: all places of the path where the pattern may stand are followed at once, in time
 * |pattern| × |path|.
 */

/** One step of a pattern: a character that must fit, or any number of them. */
interface Step {
  fits: (character: string) => boolean;
  repeats: boolean;
  /** It ends at the path's beginning or after a slash. */
  wholeFolders?: boolean;
}

const notSlash = (character: string): boolean => character !== "/";

/** More alternatives than any README has; their number grows with every brace. */
const mostAlternatives = 64;

/** Whether a path (with `/` between its names) is one that the pattern means. */
export function matchesGlob(pattern: string, path: string): boolean {
  return alternatives(pattern).some((one) => matchesSteps(stepsOf(one), path));
}

function matchesSteps(steps: readonly Step[], path: string): boolean {
  let reached = new Set([0]); // offsets in the path up to which the steps so far may have come
  for (const { fits, repeats, wholeFolders } of steps) {
    const next = new Set<number>();
    for (let start of [...reached].sort((a, b) => a - b)) {
      if (!repeats) {
        if (start < path.length && fits(path[start])) next.add(start + 1);
        continue;
      }
      while (!next.has(start)) {
        next.add(start);
        if (start < path.length && fits(path[start])) start++;
      }
    }
    reached = wholeFolders ? new Set([...next].filter((offset) => reached.has(offset) || path[offset - 1] === "/")) : next;
  }
  return reached.has(path.length);
}

function stepsOf(pattern: string): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i];
    if (pattern.startsWith("**/", i)) {
      steps.push({ fits: () => true, repeats: true, wholeFolders: true });
      i += 2;
    } else if (pattern.startsWith("**", i)) {
      steps.push({ fits: () => true, repeats: true });
      i++;
    } else if (character === "*") steps.push({ fits: notSlash, repeats: true });
    else if (character === "?") steps.push({ fits: notSlash, repeats: false });
    else if (character === "[" && pattern.indexOf("]", i + 2) > 0) {
      const end = pattern.indexOf("]", i + 2);
      steps.push({ fits: characterClass(pattern.slice(i + 1, end)), repeats: false });
      i = end;
    } else steps.push({ fits: (other) => other === character, repeats: false });
  }
  return steps;
}

/** `abc`, `a-z`, and `!abc` for all others. */
function characterClass(text: string): (character: string) => boolean {
  const isNegated = text.startsWith("!");
  const body = isNegated ? text.slice(1) : text;
  const contains = (character: string): boolean => {
    for (let i = 0; i < body.length; i++) {
      if (body[i + 1] === "-" && i + 2 < body.length) {
        if (body[i] <= character && character <= body[i + 2]) return true;
        i += 2;
      } else if (body[i] === character) return true;
    }
    return false;
  };
  return (character) => notSlash(character) && contains(character) !== isNegated;
}

/** The patterns without braces that one with braces stands for. */
function alternatives(pattern: string): string[] {
  let made = [pattern];
  for (;;) {
    const index = made.findIndex((one) => /\{[^{}]*\}/.test(one));
    if (index < 0 || made.length > mostAlternatives) return made;
    const [braces] = /\{[^{}]*\}/.exec(made[index])!;
    const replaced = braces.slice(1, -1).split(",").map((choice) => made[index].replace(braces, () => choice));
    made = [...made.slice(0, index), ...replaced, ...made.slice(index + 1)];
  }
}
