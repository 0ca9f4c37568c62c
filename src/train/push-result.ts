/** A run's model to the Hugging Face Hub, where its recipe says push_to_hub: the repository before the first step, the files after the last. */
import { hubSettings } from "../checkpoint/hub-cache.js";
import { type PushReport, pushModel } from "../checkpoint/hub-push.js";
import { openRepository, repositoryToPush, sendingContext } from "../checkpoint/hub-repository.js";
import { lastPart } from "../checkpoint/published-text.js";
import { LecternError } from "../errors.js";
import type { Recipe } from "./recipe.js";

/** ORGANISATION/NAME, or a name among those of the token's owner. */
const nameOf = (recipe: Recipe): string => recipe.hub_model_id ?? lastPart(recipe.output_dir);

/**
 * Makes the repository, so that a wrong name or a token without rights is told before anything is trained; nothing where nothing is to be pushed.
 * @throws LecternError as `pushModel` does
 */
export async function preparePush(recipe: Recipe): Promise<void> {
  if (!recipe.push_to_hub) return;
  const settings = hubSettings();
  const repository = await repositoryToPush(settings, nameOf(recipe), { revision: recipe.hub_revision });
  await openRepository(sendingContext(settings, repository), recipe.hub_private_repo);
}

/**
 * Pushes what is in output_dir.
 * @throws LecternError as `pushModel` does, with the sentence that the training is not lost
 */
export async function pushResult(recipe: Recipe): Promise<PushReport> {
  const { output_dir: folder, hub_revision: revision, hub_private_repo: isPrivate } = recipe;
  try {
    return await pushModel(folder, nameOf(recipe), { revision, private: isPrivate, message: "End of training" });
  } catch (error) {
    if (!(error instanceof LecternError)) throw error;
    const { detail } = error;
    const command = `lectern push ${folder} ${nameOf(recipe)}${revision === undefined ? "" : ` --revision ${revision}`}${isPrivate ? "" : " --public"}`;
    throw new LecternError(
      error.code,
      { ...detail, message: `The model is trained, and whole in ${folder}, but was not pushed. ${detail.message}`, next: `${detail.next ?? ""} Then: ${command}`.trim() },
      { cause: error },
    );
  }
}
