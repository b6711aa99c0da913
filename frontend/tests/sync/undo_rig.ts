import { vi } from "vitest";

import { ApiError, UnreachableError } from "../../src/api/errors";
import type { Api } from "../../src/api/client";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { PreferenceStore } from "../../src/state/preferences";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { Annotation, Draft, Task } from "../../src/state/types";
import { Labelling } from "../../src/sync/labelling";
import type { Navigator } from "../../src/sync/navigator";
import { OnScreen } from "../../src/sync/on_screen";
import type { PredictionWatch } from "../../src/sync/prediction_watch";
import { SaveQueue, type SaveListener } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

/** What is said of the image, in one word. */
export type Said = "nothing" | "skipped" | "undetermined" | `${"class" | "accepted"} ${1 | 2 | 3}`;

/** The server's side of one image: a state, and the states before and after it. It may be away, or lose its answers. */
export class Server {
  readonly #states: Said[] = ["nothing"];
  #position = 0;
  #revision = 0;
  /** What becomes of the next requests; nothing more: all goes well. */
  readonly weather: ("away" | "answer lost" | "cannot save")[] = [];
  /** No request comes through until it is back. */
  is_away = false;

  get said(): Said {
    return this.#states[this.#position] ?? "nothing";
  }

  get steps(): readonly Said[] {
    return this.#states.slice(0, this.#position + 1);
  }

  state(): Annotation {
    const { said } = this;
    const [, who, id] = /^(class|accepted) (\d)$/.exec(said) ?? [];
    const class_id = Number(id ?? 0);
    return {
      ...EMPTY_ANNOTATION, revision: this.#revision, label: class_id > 0 ? { class_id, origin: who === "accepted" ? "accepted" : "human" } : null,
      skipped: said === "skipped", undetermined: said === "undetermined",
      can_undo: this.#position > 0, can_redo: this.#position < this.#states.length - 1,
    }; // prettier-ignore
  }

  put(draft: Draft, revision: number | null): Promise<Annotation> {
    return this.#request(revision, () => this.say(wordFor(draft)));
  }

  /** By anybody, at once. */
  say(said: Said): void {
    if (said === this.said) return;
    this.#states.splice(this.#position + 1, Infinity, said);
    this.#position += 1;
    this.#revision += 1;
  }

  step(direction: 1 | -1, revision: number | null): Promise<Annotation> {
    return this.#request(revision, () => {
      if (this.#states[this.#position + direction] === undefined) throw new ApiError(409, "ConflictError", "nothing there", this.state());
      this.#position += direction;
      this.#revision += 1;
    });
  }

  /** As if so much had been done elsewhere that the steps before are not kept any more. */
  forgetHistory(): void {
    this.#states.splice(0, this.#position);
    this.#position = 0;
  }

  async #request(revision: number | null, work: () => void): Promise<Annotation> {
    const weather = this.is_away ? "away" : this.weather.shift();
    await sleep(10);
    if (weather === "away") throw new UnreachableError("down");
    if (weather === "cannot save") throw new ApiError(507, "StorageFullError", "the disk is full");
    if (revision !== null && revision !== this.#revision) throw new ApiError(409, "ConflictError", "stale", this.state());
    work();
    const answer = this.state();
    await sleep(10);
    if (weather === "answer lost") throw new UnreachableError("cut off");
    return answer;
  }
}

export function wordFor(draft: Draft): Said {
  if (draft.kind === "aside") return draft.as;
  return draft.kind === "label" && draft.class_id !== null ? (`class ${draft.class_id}` as Said) : "nothing";
}

export function saidOn(page: ReturnType<typeof visit>): Said {
  const { label, skipped, undetermined } = page.annotations.current.value;
  if (skipped) return "skipped";
  return undetermined === true ? "undetermined" : wordFor({ kind: "label", class_id: label?.class_id ?? null });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A visit that begins on the image, with what is left of the ones before. */
export async function nextVisit(server: Server, storage: ReturnType<typeof memoryStorage>): Promise<ReturnType<typeof visit>> {
  const next = visit(server, storage);
  await next.saves.restore();
  next.annotations.open(1, server.state());
  const pending = next.saves.pending(1);
  if (pending !== null) next.annotations.reapply(pending, next.saves.reach(1));
  return next;
}

/** The browser is gone, without a word to the page; only what it had written is there for the next visit. */
export async function killed(server: Server, storage: ReturnType<typeof memoryStorage>): Promise<ReturnType<typeof visit>> {
  vi.clearAllTimers();
  return nextVisit(server, storage);
}

/** One visit of the page: all of it is gone after a reload but the storage. */
export function visit(server: Server, storage: ReturnType<typeof memoryStorage>): { labelling: Labelling; saves: SaveQueue; annotations: AnnotationStore; toasts: ToastStore } {
  const annotations = new AnnotationStore();
  const toasts = new ToastStore();
  const listener: SaveListener = {
    saved: (...args) => labelling.outcomes.saved(...args),
    changed: (...args) => labelling.outcomes.changed(...args),
    conflict: (...args) => labelling.outcomes.conflict(...args),
    rejected: (...args) => labelling.outcomes.rejected(...args),
  };
  const saves = new SaveQueue(
    (_id, draft, revision, travel) => (travel === null ? server.put(draft, revision) : server.step(travel === "undo" ? -1 : 1, revision)),
    listener, storage, "unsaved",
  ); // prettier-ignore
  const api: Pick<Api, "undo" | "redo" | "annotation"> = {
    undo: (_id, revision) => server.step(-1, revision),
    redo: (_id, revision) => server.step(1, revision),
    annotation: () => (server.is_away ? Promise.reject(new UnreachableError("down")) : Promise.resolve(server.state())),
  };
  const navigator = { image: { id: 1 }, loading: new Signal(false), on_screen: new OnScreen(), invalidate: () => undefined, forget: () => undefined, next: () => Promise.resolve() };
  const classes = [1, 2, 3].map((id) => ({ id, name: `class ${id}`, color: "#ffffff", group: null }));
  const labelling = new Labelling(
    api as Api, new Signal<Task>("classification"), new Signal(classes), annotations, saves, navigator as unknown as Navigator,
    { expect: () => undefined, shown: new Signal(null) } as unknown as PredictionWatch, new PreferenceStore(memoryStorage()), toasts,
  ); // prettier-ignore
  return { labelling, saves, annotations, toasts };
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

/** A stack of what a person said, as they would expect undo and redo to walk it. */
export class Expected {
  steps: Said[] = ["nothing"];
  undone: Said[] = [];

  get said(): Said {
    return this.steps.at(-1) ?? "nothing";
  }

  say(said: Said): void {
    if (said === this.said) return;
    this.steps.push(said);
    this.undone = [];
  }

  undo(): void {
    if (this.steps.length > 1) this.undone.push(this.steps.pop() ?? "nothing");
  }

  redo(): void {
    const said = this.undone.pop();
    if (said !== undefined) this.steps.push(said);
  }
}
