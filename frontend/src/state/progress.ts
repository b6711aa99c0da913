/** How far the labelling is, in words and in bars. */

import type { HourCount, Pace, Stats } from "./types";
import { counted, grouped } from "./words";

export interface Part {
  readonly name: string;
  readonly count: number;
  /** 0..1 of all images that can be labelled. */
  readonly share: number;
}

/** The images that can be labelled by what was said of them; without those of which there are none. */
export function partsOf({ by_status }: Pick<Stats, "by_status">): readonly Part[] {
  const { labeled, skipped, undetermined, unlabeled } = by_status;
  const total = labeled + skipped + undetermined + unlabeled;
  const named = [["Labelled", labeled], ["Skipped", skipped], ["Undetermined", undetermined], ["Open", unlabeled]] as const;
  return named.filter(([, count]) => count > 0).map(([name, count]) => ({ name, count, share: count / total }));
}

/** Those that a person has said something of; a skip is no answer. */
export function answeredOf({ by_status: { labeled, undetermined } }: Pick<Stats, "by_status">): number {
  return labeled + undetermined;
}

/** Whether nothing is left to answer in a session that has images. */
export function isAllDone(stats: Pick<Stats, "by_status"> | null): boolean {
  if (stats === null) return false;
  const { labeled, skipped, undetermined, unlabeled } = stats.by_status;
  return unlabeled === 0 && labeled + skipped + undetermined > 0;
}

/** "9 images labelled, 1 skipped; 2 cannot be used." */
export function doneText({ by_status: { labeled, skipped, undetermined }, by_features: { failed } }: Pick<Stats, "by_status" | "by_features">): string {
  const others = [skipped > 0 ? `${grouped(skipped)} skipped` : "", undetermined > 0 ? `${grouped(undetermined)} undetermined` : ""].filter(Boolean);
  const said = [`${counted(labeled, "image")} labelled`, ...others].join(", ");
  return failed > 0 ? `${said}; ${grouped(failed)} cannot be used.` : `${said}.`;
}

/** 3700 -> "1 h 2 min": of work, rounded as one speaks of it. */
export function workTime(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  // Nobody plans for minutes in days of work.
  if (hours >= 10) return `${Math.round(minutes / 60)} h`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** What a pace says about the end. */
export function finishLine({ finish_s, remaining }: Pace): string {
  if (remaining === 0) return "Every image is labelled, undetermined or skipped.";
  if (finish_s === null) return "The time left shows after five images and half a minute of work.";
  return `About ${workTime(finish_s)} of labelling left for ${counted(remaining, "image")}.`;
}

/** What the pace rests on. */
export function paceBasis({ active_s, images }: Pace): string {
  return `Over the last ${workTime(active_s)} of labelling (${counted(images, "image")}); pauses of more than 3 min are left out.`;
}

const HOUR_MS = 3_600_000;

export interface HourBar {
  /** Start of the hour. */
  readonly at: Date;
  readonly count: number;
  /** 0..1 of the tallest. */
  readonly height: number;
}

/** The newest `most` hours, those without work too. */
export function hourBars(hours: readonly HourCount[], now: Date, most = 24): readonly HourBar[] {
  const counts = new Map(hours.map(({ hour, annotations }) => [Math.floor(Date.parse(hour) / HOUR_MS), annotations]));
  const last = Math.floor(now.getTime() / HOUR_MS);
  const bars = Array.from({ length: most }, (_, i) => last - most + 1 + i).map((hour) => ({
    at: new Date(hour * HOUR_MS),
    count: counts.get(hour) ?? 0,
  }));
  const tallest = Math.max(1, ...bars.map(({ count }) => count));
  return bars.map((bar) => ({ ...bar, height: bar.count / tallest }));
}
