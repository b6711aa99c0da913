import type { Extractor, HeadInForce, HeldOut, Strategy, Task, Training } from "../../../state/types";

export const STRATEGY_NAMES: Readonly<Record<Strategy, string>> = {
  sequential: "In order",
  random: "Random",
  least_confident: "Least confident",
  least_confident_minority: "Least confident, rarest class",
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

/** What stands behind the share: "right on 24 held-out points (3 images)". */
export function heldOutBasis({ images, samples }: HeldOut, task: Task): string {
  if (task === "classification") return `right on ${counted(samples, "held-out image")}`;
  return `right on ${counted(samples, "held-out point")} (${counted(images, "image")})`;
}

/** "Live head", "Head of run 3". */
export function headName(head: HeadInForce): string {
  if (head.kind === "run") return head.run_id === null ? "Head of a run" : `Head of run ${head.run_id}`;
  return head.checkpoint_id === null ? "Live head" : "Saved live head";
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function isEmbedded(extractor: Extractor): boolean {
  return extractor.name.startsWith("efficientnet");
}

export function extractorName(extractor: Extractor): string {
  if (isEmbedded(extractor)) return "EfficientNet-Lite0 (embedded)";
  return extractor.name.replace(/^dinov3_?/i, "DINOv3 ").replaceAll("_", " ");
}

/** One line under the badge: what the run is at. */
export function trainingLine(training: Training): string {
  switch (training.state) {
    case "IDLE":
      return "The head learns live from every change. Save starts a full run with held-out early stopping.";
    case "QUEUED":
      return "Waiting for the ML service to take it up.";
    case "RUNNING":
    case "SUSPENDED": {
      const what = training.stop_requested ? "Stopping" : training.state === "RUNNING" ? "Training" : "Making way for a prediction";
      return `${what}, epoch ${training.epoch}${training.best_epoch === null ? "" : `, best ${training.best_epoch}`}`;
    }
    case "FINISHED": {
      const why = training.reason === null ? "" : (REASONS[training.reason] ?? training.reason);
      if (training.epoch === 0) return `Ended before its first epoch${why === "" ? "" : `: ${why}`}.`;
      const held_out = training.val_loss.some((loss) => loss !== null);
      const best = held_out ? `, best ${training.best_epoch ?? "–"}` : "";
      const line = `${counted(training.epoch, "epoch")}${best}${why === "" ? "" : ` (${why})`}`;
      return held_out ? line : `${line}. Too few images are labelled for a held-out check.`;
    }
    case "FAILED":
      return training.message || "The run failed; the ML service's log says more.";
  }
}
