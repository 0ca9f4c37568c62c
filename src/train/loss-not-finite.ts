/** The one error of a training that has diverged, wherever it is noticed. */
import { LecternError } from "../errors.js";

/** @param problem what became NaN or infinite, and the figures around it */
export function lossNotFinite({ message, received }: { message: string; received?: string }): LecternError {
  return new LecternError("LOSS_NOT_FINITE", {
    message,
    expected: "finite numbers",
    received,
    next: "Train with a lower learning_rate, more warmup_steps or a smaller max_grad_norm; nothing was saved of this step, and resume_from_checkpoint=true goes on from the newest checkpoint.",
  });
}
