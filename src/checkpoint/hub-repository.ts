/** Repositories on the hub that a model is sent to: whose, made where they are not there, and what is told where the hub refuses. */
import { z } from "zod";
import { LecternError } from "../errors.js";
import { type HubRepository, type HubSettings, isCommit } from "./hub-cache.js";
import { answered } from "./hub-large-files.js";
import { parseRepositoryName } from "./hub-names.js";
import { answeredJson, apiOf, hubFetch, pageOf, pauseBefore, reasonOf, usualAttempts, type HubContext } from "./hub-request.js";

export interface OpenedRepository {
  /** It was not there before. */
  readonly created: boolean;
  readonly private: boolean;
}

const json = { "content-type": "application/json" };

/**
 * A name to push to, as it is written: ORGANISATION/NAME[@BRANCH], or NAME.
 * @throws LecternError HUB_NAME
 */
export function parsePushName(name: string, revision?: string): HubRepository {
  const repository = parseRepositoryName("model", name, revision);
  const isTwice = revision !== undefined && name.includes("@");
  if (repository && !isTwice && !isCommit(repository.revision)) return repository;
  throw new LecternError("HUB_NAME", {
    message: repository && !isTwice ? `${repository.revision} is a commit, and commits do not change.` : `${JSON.stringify(name)} does not name a model on the hub to push to.`,
    expected: "ORGANISATION/NAME, or ORGANISATION/NAME@BRANCH",
    received: isTwice ? `a second branch, ${JSON.stringify(revision)}` : undefined,
    next: "Name the organisation, or your own account, and the model; a branch that is not there is made.",
  });
}

/**
 * The repository that a name means: ORGANISATION/NAME[@BRANCH], or NAME among those of the token's owner.
 * @throws LecternError HUB_NAME, HUB_OFFLINE, HUB_UNAUTHORIZED, HUB_UNREACHABLE
 */
export async function repositoryToPush(
  settings: HubSettings,
  name: string,
  { revision, signal }: { revision?: string; signal?: AbortSignal } = {},
): Promise<HubRepository> {
  const repository = parsePushName(name, revision);
  if (settings.offline) {
    throw new LecternError("HUB_OFFLINE", {
      message: `HF_HUB_OFFLINE forbids sending ${repository.name} to the hub.`,
      next: "Unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE; --dry-run lists what would go without asking the hub.",
    });
  }
  if (settings.token === undefined) {
    throw new LecternError("HUB_UNAUTHORIZED", {
      message: `Sending ${repository.name} to the hub needs a token.`,
      next: `Make one with the right to write at ${settings.endpoint}/settings/tokens, and set HF_TOKEN to it (or log in: hf auth login).`,
    });
  }
  if (repository.name.includes("/")) return repository;
  const context = sendingContext(settings, repository, signal);
  const answer = await answeredJson(context, await hubFetch(context, `${settings.endpoint}/api/whoami-v2`));
  return { ...repository, name: `${answered(context, z.object({ name: z.string() }), answer).name}/${repository.name}` };
}

/**
 * Makes the repository and its branch where they are not there.
 * @throws LecternError HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_FORBIDDEN, HUB_REFUSED
 */
export async function openRepository(context: HubContext, isPrivate: boolean): Promise<OpenedRepository> {
  const { settings, repository } = context;
  const [organization, name] = repository.name.split("/");
  const body = JSON.stringify({ type: "model", name, organization, visibility: isPrivate ? "private" : "public" });
  for (let attempt = 1; ; attempt++) {
    // Who may write into one repository need not have the right to make any: 403 says nothing of one that is there.
    const response = await hubFetch(context, `${settings.endpoint}/api/repos/create`, { method: "POST", headers: json, body, answers: [403, 409] });
    const found = await visibility(context);
    if (found !== undefined) {
      await response.body?.cancel();
      const created = response.status < 400;
      if (created && isPrivate && !found.private) throw madePublic(context);
      if (repository.revision !== "main" && !repository.revision.startsWith("refs/")) await openBranch(context);
      return { created, private: found.private };
    }
    if (response.status === 403 || attempt >= usualAttempts) throw refusalOfSending(context, response, await reasonOf(response));
    await response.body?.cancel();
    await pauseBefore(context, attempt); // another request is making it, or it is not yet to be seen
  }
}

/** Undefined where there is no such repository, as far as this token may know. */
async function visibility(context: HubContext): Promise<{ private: boolean } | undefined> {
  const response = await hubFetch(context, apiOf(context), { answers: [401, 403, 404] });
  if (response.status < 400) return answered(context, z.object({ private: z.boolean() }), await answeredJson(context, response));
  await response.body?.cancel();
  return undefined;
}

async function openBranch(context: HubContext): Promise<void> {
  const url = `${apiOf(context)}/branch/${encodeURIComponent(context.repository.revision)}`;
  const response = await hubFetch(context, url, { method: "POST", headers: json, body: "{}", answers: [409] }); // 409: it is there
  await response.body?.cancel();
}

function madePublic({ repository, settings }: HubContext): LecternError {
  return new LecternError("HUB_REFUSED", {
    message: `The hub made ${repository.name} public, although it was to be private; no file was sent.`,
    next: `Make it private at ${pageOf({ settings, repository })}/settings, then run the same command again.`,
  });
}

/** What requests that send something need to know. */
export function sendingContext(settings: HubSettings, repository: HubRepository, signal?: AbortSignal): HubContext {
  return { settings, repository, signal, refusalOfSending };
}

/** What a person is told where the hub refuses something that is sent. */
function refusalOfSending({ settings, repository }: HubContext, { status }: Response, received: string): LecternError {
  const { name, revision } = repository;
  const [owner] = name.split("/");
  const tokens = `${settings.endpoint}/settings/tokens`;
  if (status === 401)
    return new LecternError("HUB_UNAUTHORIZED", { message: "The hub does not accept the token.", received, next: `Check HF_TOKEN, or make another token at ${tokens}.` });
  if (status === 403) {
    return new LecternError("HUB_FORBIDDEN", {
      message: `The owner of this token may not write into ${name}.`,
      expected: `a token with the right to write, of ${owner} or of a member of ${owner} who may`,
      received,
      next: `Check the name, and the token's rights at ${tokens}.`,
    });
  }
  if (status === 404) {
    return new LecternError("HUB_NOT_FOUND", {
      message: `The hub has no ${owner} that this token may make a model for, or no revision ${revision} of ${name}.`,
      received,
      next: "Check the spelling of the organisation, of the name and of the branch.",
    });
  }
  return new LecternError("HUB_REFUSED", {
    message: status === 409 ? `${name} is taken on the hub, by something that is not a model.` : `The hub refused what was sent for ${name}.`,
    received,
    next: status === 409 ? "Choose another name." : "Correct what the hub names; a card's front matter is what it refuses most often.",
  });
}
