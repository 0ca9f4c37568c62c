/** The files of a repository on the hub, as `GET /api/models/NAME/revision/REVISION` lists them. */
import { isCommit } from "./hub-cache.js";
import { answeredJson, apiOf, hubFetch, unreachable, type HubContext } from "./hub-request.js";

export interface Listing {
  commit: string;
  /** Paths as the hub gives them: not yet known to be harmless. */
  files: string[];
}

/**
 * @param attempts how often it is tried
 * @throws LecternError HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_FORBIDDEN
 */
export async function listFiles(context: HubContext, attempts?: number): Promise<Listing> {
  const url = `${apiOf(context)}/revision/${encodeURIComponent(context.repository.revision)}`;
  const response = await hubFetch(context, url, { attempts });
  let answer: unknown;
  try {
    answer = await answeredJson(context, response);
  } catch (error) {
    throw unreachable(context, error);
  }
  const { sha, siblings } = (answer ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings))
    throw unreachable(context, `an answer that is not the hub's, from ${url}`);
  const names = siblings.map((sibling) => (sibling as { rfilename?: unknown } | null)?.rfilename);
  return { commit: sha, files: names.filter((name) => typeof name === "string") };
}
