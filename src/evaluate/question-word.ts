/** Which kind of question an English question is, by the first question word in it: "In what year …" asks for a what. */

const questionWords = new Map([
  ["what", "what"],
  ["who", "who"],
  ["whom", "who"],
  ["whose", "who"],
  ["when", "when"],
  ["where", "where"],
  ["which", "which"],
  ["why", "why"],
  ["how", "how"],
]);

/**
 * what, who, when, where, which, why, how, how many/much, or other.
 * @example
 * questionWord("For whom did he play?"); // "who"
 */
export function questionWord(question: string): string {
  const words = question.toLowerCase().match(/\p{L}+/gu) ?? [];
  const at = words.findIndex((word) => questionWords.has(word));
  if (at < 0) return "other";
  if (words[at] === "how" && /^(?:many|much)$/.test(words[at + 1] ?? "")) return "how many/much";
  return questionWords.get(words[at])!;
}
