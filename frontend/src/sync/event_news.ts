import type { ServerEvent } from "./event_stream";

/** What the page keeps of the server's state beside images, and asks for again. */
export type Watched = "training" | "finetuning" | "stats" | "health" | "checkpoints";

/** What an event may have changed: nothing else need be asked for again. */
export function newsFor(event: ServerEvent): readonly Watched[] {
  switch (event.kind) {
    case "annotation":
      return event.comment_revision === undefined ? ["stats"] : [];
    case "training":
      return newsOfTraining(event);
    case "job":
      // A comparison of two checkpoints changes neither.
      if (event.job_kind === "compare") return ["checkpoints"];
      return event.job_kind === "train" ? ["training", "finetuning", "stats", "checkpoints"] : ["stats", "checkpoints"];
    case "classes":
      return ["stats"];
    case "features":
      return ["stats", "health"];
    case "prediction":
      return [];
  }
}

/** Of a run, from epoch to epoch; or of a measurement, as one follows each series of labels. */
function newsOfTraining({ run_id, state }: ServerEvent): readonly Watched[] {
  if (run_id === undefined) return ["stats", "checkpoints"];
  const has_ended = state === "FINISHED" || state === "FAILED";
  return has_ended ? ["training", "finetuning", "stats", "checkpoints"] : ["training", "checkpoints"];
}
