/** What the page tells of one run: its losses at the epoch that counts, and where its labels changed. */

import type { Training } from "./types";

export interface RunLosses {
  readonly epoch: number;
  readonly train: number;
  /** null where nothing is held out. */
  readonly held_out: number | null;
  /** Whether these are the weights that a finished run kept; else they are its newest. */
  readonly is_kept: boolean;
}

type Curves = Pick<Training, "state" | "best_epoch" | "train_loss" | "val_loss">;

/** Once a run has finished, at the epoch that it kept; before, at the newest one. */
export function lossesOf({ state, best_epoch, train_loss, val_loss }: Curves): RunLosses | null {
  const is_kept = state === "FINISHED" && best_epoch !== null && best_epoch >= 1 && best_epoch <= train_loss.length;
  const epoch = is_kept ? best_epoch : train_loss.length;
  const train = train_loss[epoch - 1];
  return train === undefined ? null : { epoch, train, held_out: val_loss[epoch - 1] ?? null, is_kept };
}

/** The epochs after which labels changed, in order: losses on both sides of one are not comparable. */
export function labelChanges({ metrics, epoch }: Pick<Training, "metrics" | "epoch">): number[] {
  const { segments } = metrics;
  if (!Array.isArray(segments)) return [];
  const starts = segments.map((segment: unknown) =>
    typeof segment === "object" && segment !== null && "after_epoch" in segment ? segment.after_epoch : null,
  );
  const inside = starts.filter((start): start is number => typeof start === "number" && start > 0 && start <= epoch);
  return [...new Set(inside)].sort((a, b) => a - b);
}
