import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { ApiError, UnreachableError } from "../../src/api/errors";
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
type Said = "nothing" | "skipped" | "undetermined" | "class 1" | "class 2" | "class 3";

/** The server's side of one image: a state, and the states before and after it. It may be away, or lose its answers. */
class Server {
  readonly #states: Said[] = ["nothing"];
  #position = 0;
  #revision = 0;
  /** What becomes of the next requests; nothing more: all goes well. */
  readonly weather: ("away" | "answer lost" | "cannot save")[] = [];

  get said(): Said {
    return this.#states[this.#position] ?? "nothing";
  }

  get steps(): readonly Said[] {
    return this.#states.slice(0, this.#position + 1);
  }

  state(): Annotation {
    const { said } = this;
    const class_id = Number(/^class (\d)$/.exec(said)?.[1] ?? 0);
    return {
      ...EMPTY_ANNOTATION, revision: this.#revision, label: class_id > 0 ? { class_id, origin: "human" } : null,
      skipped: said === "skipped", undetermined: said === "undetermined",
      can_undo: this.#position > 0, can_redo: this.#position < this.#states.length - 1,
    }; // prettier-ignore
  }

  put(draft: Draft, revision: number | null): Promise<Annotation> {
    return this.#request(revision, () => {
      const said = wordFor(draft);
      if (said === this.said) return;
      this.#states.splice(this.#position + 1, Infinity, said);
      this.#position += 1;
      this.#revision += 1;
    });
  }

  step(direction: 1 | -1, revision: number | null): Promise<Annotation> {
    return this.#request(revision, () => {
      if (this.#states[this.#position + direction] === undefined) throw new ApiError(409, "ConflictError", "nothing there", this.state());
      this.#position += direction;
      this.#revision += 1;
    });
  }

  async #request(revision: number | null, work: () => void): Promise<Annotation> {
    const weather = this.weather.shift();
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

function wordFor(draft: Draft): Said {
  if (draft.kind === "aside") return draft.as;
  return draft.kind === "label" && draft.class_id !== null ? (`class ${draft.class_id}` as Said) : "nothing";
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One visit of the page: all of it is gone after a reload but the storage. */
function visit(server: Server, storage: ReturnType<typeof memoryStorage>): { labelling: Labelling; saves: SaveQueue; annotations: AnnotationStore; toasts: ToastStore } {
  const annotations = new AnnotationStore();
  const toasts = new ToastStore();
  const listener: SaveListener = {
    saved: (...args) => labelling.outcomes.saved(...args),
    changed: (...args) => labelling.outcomes.changed(...args),
    conflict: (...args) => labelling.outcomes.conflict(...args),
    rejected: (...args) => labelling.outcomes.rejected(...args),
  };
  const saves = new SaveQueue((_id, draft, revision) => server.put(draft, revision), listener, storage, "unsaved");
  const api: Pick<Api, "undo" | "redo" | "annotation"> = {
    undo: (_id, revision) => server.step(-1, revision),
    redo: (_id, revision) => server.step(1, revision),
    annotation: () => Promise.resolve(server.state()),
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
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stack of what a person said, as they would expect undo and redo to walk it. */
class Expected {
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

describe("Labelling: undo, redo and saves under any weather", () => {
  test.each(Array.from({ length: 60 }, (_, i) => i + 1))("waiting between actions, seed %i: each step is one action, over reloads", async (seed) => {
    const draw = random(seed);
    const server = new Server();
    const storage = memoryStorage();
    const expected = new Expected();
    let page = visit(server, storage);
    page.annotations.open(1, server.state());
    for (let i = 0; i < 30; i += 1) {
      const action = draw();
      if (action < 0.2) server.weather.push(...(["away", "answer lost", "cannot save"] as const).filter(() => draw() < 0.4));
      if (action < 0.5) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        expected.say(`class ${class_id}` as Said);
      } else if (action < 0.6) {
        void page.labelling.skip();
        expected.say("skipped");
      } else if (action < 0.66) {
        void page.labelling.markUndetermined();
        expected.say("undetermined");
      } else if (action < 0.82) {
        server.weather.splice(0);
        void page.labelling.undo();
        expected.undo();
      } else if (action < 0.92) {
        server.weather.splice(0);
        void page.labelling.redo();
        expected.redo();
      } else {
        page = visit(server, storage);
        page.annotations.open(1, server.state());
      }
      await vi.advanceTimersByTimeAsync(60_000);
      expect([page.saves.status.value, server.said, server.steps]).toEqual(["saved", expected.said, expected.steps]);
      expect(page.annotations.current.value).toEqual(server.state());
      expect(storage.map.size).toBe(0);
    }
  });

  test.each(Array.from({ length: 60 }, (_, i) => 100 + i))("without waiting, pages closed at any moment, seed %i: what was said last is saved in the end", async (seed) => {
    const draw = random(seed);
    const server = new Server();
    const storage = memoryStorage();
    let page = visit(server, storage);
    page.annotations.open(1, server.state());
    let last: Said = "nothing";
    for (let i = 0; i < 20; i += 1) {
      if (draw() < 0.4) server.weather.push(draw() < 0.5 ? "away" : "cannot save");
      const action = draw();
      if (action < 0.6) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        last = `class ${class_id}` as Said;
      } else if (action < 0.8) {
        void page.labelling.skip();
        last = "skipped";
      } else {
        // Closed: requests under way are cut off before the server has them, and nothing of the page runs on.
        page.saves.store();
        vi.clearAllTimers();
        page = visit(server, storage);
        await page.saves.restore();
        page.annotations.open(1, server.state());
        const pending = page.saves.pending(1);
        if (pending !== null) page.annotations.reapply(pending);
      }
      await vi.advanceTimersByTimeAsync(Math.floor(draw() * 400));
    }
    server.weather.splice(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([page.saves.status.value, server.said, storage.map.size, page.toasts.value.length]).toEqual(["saved", last, 0, 0]);
    expect(page.annotations.current.value).toEqual(server.state());
  });
});
