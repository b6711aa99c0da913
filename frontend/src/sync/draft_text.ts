/** Drafts as the texts that are kept of them. */
import type { Draft } from "../state/types";
import { changed, type DraftChange } from "./draft_changes";
import { isDraft, isRecord } from "./draft_checks";
import { trailFrom, type StoredTrail } from "./trail_text";

export interface StoredDraft {
  readonly image_id: number;
  readonly revision: number | null;
  readonly draft: Draft;
}

export interface FoundDraft extends StoredDraft {
  /** The steps that lead to the draft, where they are sent one by one. */
  readonly trail: StoredTrail | null;
}

/** `trail`: text of the steps that lead to the draft, as `trailText` makes it. */
export function draftText({ trail = null, ...stored }: StoredDraft & { readonly trail?: string | null }): string {
  const text = JSON.stringify(stored, withoutKnownGeometry);
  return trail === null ? text : `${text.slice(0, -1)},"trail":${trail}}`;
}

/** `at`: place among all that the tab wrote; of two with one key the later one counts. */
export function numbered(text: string, at: number): string {
  return `${text.slice(0, -1)},"at":${at}}`;
}

/** `since`: place of the text that it is a change of. */
export function changeText(since: number, at: number, stored: Omit<StoredDraft, "draft">, change: DraftChange): string {
  return JSON.stringify({ ...stored, change, since, at }, withoutKnownGeometry);
}

/** The newest draft that the texts of one key, and those of its changes, tell of; null if none can be understood. */
export function draftFrom(texts: readonly string[], change_texts: readonly string[]): FoundDraft | null {
  const whole = newest(texts.map(parse).filter((found) => isStoredDraft(found)));
  const changes = change_texts.map(parse).filter((found) => isStoredChange(found));
  const change = newest(whole === null ? changes : changes.filter(({ since }) => since === place(whole)));
  const trail = whole === null ? null : trailFrom(whole.trail);
  const draft = change === null ? null : changed(whole?.draft ?? null, change.change);
  if (change === null || draft === null) return whole && { image_id: whole.image_id, revision: whole.revision, draft: whole.draft, trail };
  const { image_id, revision } = change;
  // One more step behind those that wait, if they still do.
  const is_step = trail !== null && revision === whole?.revision;
  return { image_id, revision, draft, trail: is_step ? { ...trail, steps: [...trail.steps, { draft }] } : null };
}

function newest<T extends object>(found: readonly T[]): T | null {
  return found.reduce<T | null>((best, item) => (best === null || place(item) > place(best) ? item : best), null);
}

function place(found: object): number {
  return "at" in found && typeof found.at === "number" ? found.at : 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isImage({ image_id, revision }: Record<string, unknown>): boolean {
  return Number.isInteger(image_id) && (revision === null || Number.isInteger(revision));
}

function isStoredDraft(value: unknown): value is StoredDraft & { readonly trail?: unknown } {
  return isRecord(value) && isImage(value) && isDraft(value.draft);
}

function isStoredChange(value: unknown): value is Omit<StoredDraft, "draft"> & { readonly change?: unknown; readonly since?: unknown } {
  return isRecord(value) && isImage(value);
}

/** What the server has need not be kept here: storage is small, masks are not. */
function withoutKnownGeometry(this: unknown, key: string, value: unknown): unknown {
  return key === "geometry" && isRecord(this) && typeof this.shape_id === "number" ? undefined : value;
}
