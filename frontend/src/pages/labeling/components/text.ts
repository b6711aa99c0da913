import { labelChanges } from "../../../state/training_run";
import { counted, grouped, sampleNoun } from "../../../state/words";
import type { ExtractionHealth, Extractor, HeadInForce, HeadKind, HeldOut, Strategy, Task, Training } from "../../../state/types";

export const STRATEGY_NAMES: Readonly<Record<Strategy, string>> = {
  sequential: "Unlabelled, in order",
  random: "Random unlabelled",
  least_confident: "Least confident",
  least_confident_minority: "Least confident, rarest class",
};

export const HEAD_NAMES: Readonly<Record<HeadKind, string>> = {
  linear: "Linear",
  conv: "Convolution (3 × 3 cells)",
  mlp: "One hidden layer",
};

const REASONS: Readonly<Record<string, string>> = {
  early_stop: "no further improvement",
  max_epochs: "all epochs done",
  stopped: "stopped by you",
  superseded: "a newer run took over",
};

/** 0.934 -> "93 %" */
export function percent(p: number): string {
  return `${Math.round(p * 100)} %`;
}

/** What stands behind the share: "of 24 held-out samples (3 images) right". */
export function heldOutBasis({ images, samples }: HeldOut, task: Task): string {
  if (task === "multilabel") return `of ${counted(samples, "held-out image")} with all classes right`;
  if (task === "classification") return `of ${counted(samples, "held-out image")} right`;
  return `of ${counted(samples, `held-out ${sampleNoun(task)}`)} (${counted(images, "image")}) right`;
}

/** "Live head", "Head of run 3". */
export function headName(head: HeadInForce): string {
  if (head.kind !== "live") return head.run_id === null ? "Head of a run" : `Head of run ${head.run_id}`;
  return head.checkpoint_id === null ? "Live head" : "Saved live head";
}

/** "Features 312 of 10,000, about 6 min left"; null when there is nothing to tell. */
export function extractionLine(extraction: ExtractionHealth): string | null {
  const { state, total, failed, done, eta_s } = extraction;
  if (state === "done") return null;
  const count = `Features ${grouped(done)} of ${grouped(total - failed)}`;
  if (state === "failed" || state === "stopped") return `${count}, stopped`;
  return eta_s === null ? count : `${count}, about ${duration(eta_s)} left`;
}

/** What stands behind that line. */
export function extractionNote(extraction: ExtractionHealth): string {
  const { state, message, pooled_done, total, failed, rate_images_s } = extraction;
  if (state === "failed") return message ?? "The features cannot be made; the log says why.";
  if (state === "stopped") return "No extraction service is running: start `fewclick up`, or run init_session.py again.";
  const overview = pooled_done < total - failed ? `Overview of ${counted(pooled_done, "image")}. ` : "";
  const pace = rate_images_s === null ? "" : `${rate_images_s >= 1 ? rate_images_s.toFixed(1) : rate_images_s.toPrecision(2)} images a second. `;
  return `${overview}${pace}The images you open come first.`;
}

/** 40 -> "1 min", 4000 -> "1 h 10 min": rounded up, as nobody minds an early end. */
export function duration(seconds: number): string {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const tens = Math.ceil((minutes % 60) / 10) * 10;
  const hours = Math.floor(minutes / 60) + (tens === 60 ? 1 : 0);
  return tens % 60 === 0 ? `${hours} h` : `${hours} h ${tens} min`;
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function isEmbedded(extractor: Extractor): boolean {
  return extractor.name.startsWith("efficientnet");
}

export function extractorName(extractor: Extractor): string {
  if (isEmbedded(extractor)) return "EfficientNet-Lite0 (embedded)";
  return extractor.name.replace(/^dinov([23])_?/i, "DINOv$1 ").replace(/-lora$/, ", fine-tuned").replaceAll("_", " ");
}

/** What the badge says: a run that a person stopped has FINISHED too, and nobody calls it that. */
export function stateWord(training: Pick<Training, "state" | "reason"> | null): string {
  if (training === null) return "IDLE";
  return training.state === "FINISHED" && training.reason === "stopped" ? "STOPPED" : training.state;
}

/** One line under the badge: what the run is at. */
export function trainingLine(training: Training): string {
  switch (training.state) {
    case "IDLE":
      return "It learns from every label by itself. Save & train adds a longer, checked run once a few images are labelled.";
    case "QUEUED":
      return "Waiting for the ML service to take it up.";
    case "RUNNING":
    case "SUSPENDED": {
      if (training.kind === "finetune" && !training.stop_requested && training.message !== "") return `Fine-tuning. ${training.message}`;
      const what = training.stop_requested ? "Stopping" : training.state === "RUNNING" ? "Training" : "Making way for a prediction";
      return `${what}, epoch ${training.epoch}${bestText(training)}`;
    }
    case "FINISHED": {
      if (training.kind === "finetune") return training.message;
      const why = training.reason === null ? "" : (REASONS[training.reason] ?? training.reason);
      if (training.epoch === 0) return `Ended before its first epoch${why === "" ? "" : `: ${why}`}.`;
      const held_out = training.val_loss.some((loss) => loss !== null);
      const line = `${counted(training.epoch, "epoch")}${held_out ? bestText(training) : ""}${why === "" ? "" : ` (${why})`}`;
      // What a run that is done says of itself tells that nothing was held out.
      return held_out || training.message !== "" ? line : `${line}. Too few images are labelled for a held-out check.`;
    }
    case "FAILED":
      return training.message || "The run failed; the ML service's log says more.";
  }
}

/** Under that line, once a run has finished: which head predicts now, and why. */
export function outcomeLine({ state, kind, message }: Training): string {
  return state === "FINISHED" && kind === "head" ? message : "";
}

/** ", best 12", or what a change of the labels has made of it. */
function bestText(training: Training): string {
  const change = labelChanges(training).at(-1);
  if (change === undefined) return training.best_epoch === null ? "" : `, best ${training.best_epoch}`;
  return training.best_epoch === null ? `, labels changed after ${change}` : `, best since the labels changed: ${training.best_epoch}`;
}
