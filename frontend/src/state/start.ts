/** The start page: sessions, and how far they are. */
import type { Task } from "./types";

export interface SessionProgress {
  readonly name: string;
  readonly task: Task;
  readonly created_at: string;
  readonly changed_at: string | null;
  readonly images: number;
  readonly labeled: number;
  readonly skipped: number;
  readonly undetermined: number;
  readonly classes: number;
}

export interface FoundSession {
  readonly folder: string;
  /** null: another server would have to serve it. */
  readonly url: string | null;
  readonly current: boolean;
  /** That opens it. */
  readonly command: string | null;
  readonly progress: SessionProgress | null;
  readonly problem: string | null;
  readonly thumbnails: readonly string[];
}

export interface StartPage {
  readonly sessions: readonly FoundSession[];
  readonly more: number;
  readonly has_root: boolean;
}

export const START_HASH = "#/start";

/** Whether an address means the start page. The root does not: programs and people find the first session's images there. */
export function isStart(hash: string): boolean {
  return hash === START_HASH;
}

/** What stands on the card of a session: with its folder where several have the same name. */
export function cardTitle({ folder, progress }: Pick<FoundSession, "folder" | "progress">, all: readonly Pick<FoundSession, "progress">[]): string {
  if (progress === null) return folder;
  const same = all.filter((other) => other.progress?.name === progress.name);
  return same.length > 1 && folder !== progress.name ? `${progress.name} (${folder})` : progress.name;
}

/** Labelled, skipped and undetermined: what a person has seen. */
export function reviewedShare({ images, labeled, skipped, undetermined }: SessionProgress): number {
  return images === 0 ? 0 : (labeled + skipped + undetermined) / images;
}

/** "just now", "5 minutes ago", "yesterday", "3 weeks ago". */
export function ago(then: string, now: Date): string {
  const seconds = Math.max((now.getTime() - new Date(then).getTime()) / 1000, 0);
  if (seconds < 60) return "just now";
  const units = [[60, "minute"], [3600, "hour"], [86400, "day"], [604800, "week"], [2629800, "month"], [31557600, "year"]] as const;
  const [size, name] = units.filter(([limit]) => limit <= seconds).at(-1) ?? units[0];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(seconds / size), name);
}
