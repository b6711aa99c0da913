/** What waits of one image, and what an answer says of it. */
import { ApiError } from "../api/errors";
import type { Annotation, Draft } from "../state/types";

export type Put = (image_id: number, draft: Draft, revision: number | null) => Promise<Annotation>;
/** A change that the server makes by itself, such as undo, of the state at `revision`. */
export type Change = (revision: number | null) => Promise<Annotation>;

export interface SaveStep {
  readonly kind: "save";
  draft: Draft;
  /** An action of its own: no later save takes its place. */
  readonly is_step: boolean;
}

export interface ChangeStep {
  readonly kind: "change";
  readonly run: Change;
  /** What was on screen when it was asked for. */
  base: Draft;
  readonly resolve: (answer: Annotation) => void;
  readonly reject: (error: unknown) => void;
}

export interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface Entry {
  /** The newest that the server acknowledged. */
  revision: number | null;
  /** In order; the first is under way if `in_flight`. */
  readonly steps: (SaveStep | ChangeStep)[];
  in_flight: boolean;
  failures: number;
  /** Whether the last failure says that no other image can be saved either. */
  blocks: boolean;
  /** Behind an image that could not be saved: not sent yet, or sent since, in its turn. */
  turn: "free" | "waits" | "came";
  /** Why the server will not take it as it is; nothing is sent until the person has answered. null while it may. */
  refused: Error | null;
  timer: ReturnType<typeof setTimeout> | null;
  readonly waiters: Waiter[];
}

export function pendingDraft({ steps }: Entry): Draft | null {
  return steps.findLast((step) => step.kind === "save")?.draft ?? null;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The state that a conflict found. */
export function currentOf(error: unknown): Annotation | null {
  return error instanceof ApiError && error.status === 409 ? (error.current as Annotation | null) : null;
}
