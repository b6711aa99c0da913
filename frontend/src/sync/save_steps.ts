/** What waits of one image, and what an answer says of it. */
import { ApiError } from "../api/errors";
import { matches } from "../state/annotations";
import { draftOf, rebase, replacing, withIds } from "../state/rebase";
import { saysAll, type Travel } from "../state/trail";
import type { Annotation, Draft } from "../state/types";

/** Answers that say so of everything, not of one image: gateways, a database that is locked, a full disk. */
const CANNOT_SAVE: ReadonlySet<number> = new Set([502, 503, 504, 507]);
const LONGEST_BACKOFF_MS = 15_000;
const BACKOFF_MS = [300, 1_000, 2_000, 4_000, 8_000];

/** `travel`: the draft is what an undo or a redo leads to, which the server is asked for. */
export type Put = (image_id: number, draft: Draft, revision: number | null, travel: Travel | null) => Promise<Annotation>;
/** A change that the server makes by itself, such as undo, of the state at `revision`. */
export type Change = (revision: number | null) => Promise<Annotation>;

export interface SaveStep {
  readonly kind: "save";
  draft: Draft;
  /** An action of its own: no later save takes its place. */
  readonly is_step: boolean;
  /** It is an undo or a redo; the draft is what that leads to. */
  travel?: Travel | undefined;
}

/** No answer came to an undo or a redo: whoever asked for it can do without the server. */
export class UnansweredTravel extends Error {
  /** `base`: what was on screen before it; null where it follows another one that was not answered either. */
  constructor(
    readonly base: Draft | null,
    override readonly cause: unknown,
    /** It may have been done, and nobody here can tell what it leads to: the server is asked until it answers. */
    readonly is_asked_again = false,
  ) {
    super(reasonOf(cause), { cause });
  }
}

/** Steps of one image that wait apart from each other; what comes then is joined to the last. */
const MOST_STEPS = 200;

export interface SaveListener {
  saved(image_id: number, sent: Draft, answer: Annotation): void;
  /** The server made a change; `pending` is what was done here since, brought over to its answer. */
  changed(image_id: number, answer: Annotation, pending: Draft | null): void;
  /** Another change came first: `current` stands, `mine` was not saved. */
  conflict(image_id: number, mine: Draft, current: Annotation): void;
  /** The server will not take it as it is: it stays here until the person sends it again, changes it or discards it. */
  rejected(image_id: number, mine: Draft, reason: string): void;
}

export interface ChangeStep {
  readonly kind: "change";
  readonly run: Change;
  /** It is an undo or a redo. */
  readonly travel: Travel | null;
  /** What was on screen when it was asked for. */
  base: Draft;
  /** Whether `base` still is on screen: an undo without an answer can then be done here. */
  readonly isShown: (base: Draft) => boolean;
  /** It may have been done already: no answer came. */
  is_asked_again: boolean;
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

export function newEntry(revision: number | null): Entry {
  return { revision, steps: [], in_flight: false, failures: 0, blocks: false, turn: "free", refused: null, timer: null, waiters: [] };
}

/** A draft takes the place of the last one that is not under way, unless one of the two is an action of its own. */
export function addSave({ steps, in_flight }: Entry, draft: Draft, is_step: boolean): void {
  const last = steps.at(-1);
  const is_sent = in_flight && steps.length === 1;
  const is_joined = (last?.kind === "save" && !last.is_step && !is_step) || steps.length >= MOST_STEPS;
  if (last?.kind === "save" && !is_sent && last.travel === undefined && is_joined) last.draft = draft;
  else steps.push({ kind: "save", draft, is_step });
}

/** What waits behind a save knows the ids that the server gave. */
export function answerToSave({ steps }: Entry, sent: Draft, answer: Annotation): void {
  for (const step of steps) {
    if (step.kind === "save") step.draft = withIds(step.draft, answer, sent);
    else step.base = withIds(step.base, answer, sent);
  }
}

/** What waits behind a change of `base` is brought over to what the server made of it. */
export function answerToChange({ steps }: Entry, base: Draft, answer: Annotation): void {
  let before = base;
  let after = draftOf(answer, base.kind);
  for (const step of steps) {
    const draft = step.kind === "save" ? step.draft : step.base;
    after = rebase(draft, before, after);
    before = draft;
    if (step.kind === "save") step.draft = after;
    else step.base = after;
  }
}

export function pendingDraft({ steps }: Entry): Draft | null {
  return steps.findLast((step) => step.kind === "save")?.draft ?? null;
}

/** While the server cannot save, one image asks whether it can again; the others keep their order behind it. */
export function mustWait(entries: Iterable<Entry>, entry: Entry): boolean {
  for (const other of entries) {
    if (other === entry) return false;
    if (other.blocks || other.turn !== "free") return true;
  }
  return false;
}

/** An undo of a step that the server does not remember any more is a change as any other. False if it is none. */
export function becomesDraft({ steps: [step], revision }: Entry, current: Annotation): boolean {
  if (step?.kind !== "save" || step.travel === undefined || current.revision !== revision) return false;
  step.travel = undefined;
  step.draft = replacing(step.draft, current);
  return true;
}

/** An undo may have led elsewhere than expected here, for example over what is of a class that was removed. */
export function ledElsewhere({ steps: [step] }: Entry, sent: Draft, answer: Annotation): boolean {
  return step?.kind === "save" && step.travel !== undefined && !matches(answer, sent);
}

export function whenDone({ waiters }: Entry): Promise<void> {
  return new Promise<void>((resolve, reject) => waiters.push({ resolve, reject }));
}

/** Undo and redo that wait for the server behind what cannot be sent; `first`: the step that was, if it is one of them. */
export function withdrawTravels({ steps }: Entry, error: unknown, first: ChangeStep | null = null): void {
  const rest = steps.findLastIndex((step) => !isTravel(step)) + 1;
  const last = steps.splice(rest).filter((step) => step.kind === "change");
  first?.reject(new UnansweredTravel(first.base, error));
  last.forEach(({ base, reject }, i) => reject(new UnansweredTravel(i > 0 || (first !== null && rest === 0) ? null : base, error)));
}

/** Whether the page can do it in the server's place, if it knows what it leads to: nothing else was done since. */
export function mayBeDoneHere({ steps }: Entry, { base, isShown, is_asked_again }: ChangeStep): boolean {
  return !is_asked_again && steps.every(isTravel) && isShown(base);
}

/** It stays the first step, as it may have been done; what is told of it is that. */
export function askAgain(step: ChangeStep, error: unknown): void {
  step.is_asked_again = true;
  step.reject(new UnansweredTravel(step.base, error, true));
}

function isTravel(step: SaveStep | ChangeStep): boolean {
  return step.kind === "change" && step.travel !== null;
}

/**
 * Undo or redo without the server, to `draft`. What takes back the one before it, which was never sent, takes its place:
 * nothing was done.
 */
export function addTravel(entry: Entry, draft: Draft, travel: Travel): void {
  const { steps } = entry;
  const last = steps.at(-1);
  const is_back = last?.kind === "save" && last.travel !== undefined && last.travel !== travel;
  if (is_back && steps.length > 1) steps.pop();
  else if (steps.length >= MOST_STEPS) addSave(entry, draft, true);
  else steps.push({ kind: "save", draft, is_step: true, travel });
}

/**
 * A conflict found what one of the steps had made, whose answer was lost, or went to an earlier visit or another tab: that
 * one, and those before it, which are done as well and wait no more. null if none has made it.
 */
export function takeLost({ steps, revision }: Entry, current: Annotation): { readonly before: readonly SaveStep[]; readonly made: SaveStep } | null {
  const change = steps.findIndex((step) => step.kind === "change");
  const saves = (change < 0 ? steps : steps.slice(0, change)).filter((step) => step.kind === "save");
  // Each is one revision. Where that is not so, somebody else may have said what a step in between says, and would be overruled.
  const made = revision === null ? 0 : current.revision - revision - 1;
  const at = [made, 0].find((i) => saves[i] !== undefined && isSaid(saves[i], current));
  const lost = at === undefined ? undefined : saves[at];
  if (lost === undefined) return null;
  steps.splice(0, at);
  return { before: saves.slice(0, at), made: lost };
}

/** What was refused, or the newest behind it, alone. */
export function keepNewest(entry: Entry, refused: Draft, error: unknown): Draft {
  const draft = pendingDraft(entry) ?? refused;
  for (const step of entry.steps.splice(0)) if (step.kind === "change") step.reject(error);
  entry.steps.push({ kind: "save", draft, is_step: true });
  entry.failures = 0;
  entry.blocks = false;
  entry.turn = "free";
  return draft;
}

/** Whether nothing of the last save would be lost with `current` in its place. */
export function isLastSaid({ steps }: Entry, current: Annotation): boolean {
  const last = steps.findLast((step) => step.kind === "save");
  return last !== undefined && isSaid(last, current);
}

function isSaid({ draft, travel }: SaveStep, current: Annotation): boolean {
  // Undo leads to what somebody or the head had said.
  return travel === undefined ? saysAll(current, draft) : matches(current, draft);
}

/** No answer, or none that says what became of the first step: it is sent again after so many ms. */
export function noteFailure(entry: Entry, error: unknown): number {
  const wait_ms = BACKOFF_MS[entry.failures] ?? LONGEST_BACKOFF_MS;
  entry.failures += 1;
  entry.blocks = saysNothingCanBeSaved(error);
  return wait_ms;
}

/**
 * Whether a conflict found what an undo or a redo had made, whose answer was lost. Only they leave something to redo: of
 * a redo to the newest state nobody can tell whether somebody else has said it, and what was done here since must not
 * overrule them.
 */
export function isTravelled({ steps, revision }: Entry, { travel, is_asked_again }: ChangeStep, current: Annotation): boolean {
  const is_next = is_asked_again && revision !== null && current.revision === revision + 1;
  return is_next && (current.can_redo || (travel === "redo" && steps.length === 1));
}

/** No answer at all, or one that tells of no image in particular. */
function saysNothingCanBeSaved(error: unknown): boolean {
  return !(error instanceof ApiError) || !error.is_own || CANNOT_SAVE.has(error.status);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The state that a conflict found. */
export function currentOf(error: unknown): Annotation | null {
  return error instanceof ApiError && error.status === 409 ? (error.current as Annotation | null) : null;
}
