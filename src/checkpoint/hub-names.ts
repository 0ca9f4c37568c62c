/** Names of repositories on the Hugging Face Hub, checked before they become parts of addresses and of paths. */
import type { HubRepository } from "./hub-cache.js";

/** ORGANISATION/NAME[@REVISION], or undefined for what cannot be one. */
export function parseRepositoryName(kind: HubRepository["kind"], text: string, revision = "main"): HubRepository | undefined {
  const at = text.indexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const chosen = at < 0 ? revision : text.slice(at + 1);
  return isRepositoryName(name) && isRevision(chosen) ? { kind, name, revision: chosen } : undefined;
}

export function isRepositoryName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}(\/[A-Za-z0-9][\w.-]{0,95})?$/.test(name) && !/--|\.\./.test(name);
}

export function isRevision(revision: string): boolean {
  return /^[\w.-]+(\/[\w.-]+)*$/.test(revision) && !revision.split("/").some((part) => /^\.+$/.test(part));
}
