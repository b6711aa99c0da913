import type { Api } from "../api/client";
import { ApiError, explain, UnreachableError } from "../api/errors";
import { LabelTally } from "../state/label_tally";
import { Signal, type Readable } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { HeadKind, Health, Stats, Training, TrainingState } from "../state/types";
import { Calm, inCalm } from "./calm";
import type { SaveQueue } from "./save_queue";

const HEALTH_EVERY_MS = 4_000;
/** So often the server is asked for its counts while images are saved meanwhile. */
const MOST_COUNTS = 3;
const ACTIVE: ReadonlySet<TrainingState> = new Set(["QUEUED", "RUNNING", "SUSPENDED"]);

export function isActive(training: Training | null): boolean {
  return training !== null && ACTIVE.has(training.state);
}

/** Runs `work` at most once in `interval_ms`, at the end of it, however often it is asked for. */
export function throttled(work: () => Promise<void>, interval_ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      void work();
    }, interval_ms);
  };
}

/** Whether the server and the ML service are there; "unreachable" when nothing answers. */
export class HealthWatch {
  readonly health = new Signal<Health | "unreachable" | null>(null);
  readonly refreshSoon: () => void;
  readonly #calm: Calm;

  constructor(
    private readonly api: Api,
    private readonly onBack: () => void,
    calm = new Calm(),
  ) {
    this.#calm = calm;
    this.refreshSoon = inCalm(calm, () => this.refresh(), { after_ms: 500, every_ms: 500 });
  }

  async run(): Promise<void> {
    await this.refresh();
    setTimeout(() => void this.#calm.come().then(() => this.run()), HEALTH_EVERY_MS);
  }

  async refresh(): Promise<void> {
    const before = this.health.value;
    try {
      this.health.set(await this.api.health());
      if (before === "unreachable") this.onBack();
    } catch (error) {
      if (!(error instanceof UnreachableError || error instanceof ApiError)) throw error;
      this.health.set("unreachable");
    }
  }
}

/** Sets `outdated` once the server is of another version than at first: this page is then of the past. */
export function noticeOtherVersion(health: Readable<Health | "unreachable" | null>, outdated: Signal<boolean>): void {
  let first: string | null = null;
  health.subscribe((found) => {
    if (found === null || found === "unreachable") return;
    first ??= found.version;
    outdated.set(found.version !== first);
  });
}

/** The newest full run: state, losses; Save and Stop. */
export class TrainingWatch {
  readonly training = new Signal<Training | null>(null);
  readonly starting = new Signal(false);
  /** What the next run trains. */
  readonly head = new Signal<HeadKind>("linear");
  readonly refreshSoon: () => void;

  constructor(
    private readonly api: Api,
    private readonly saves: SaveQueue,
    private readonly hasEvents: Readable<boolean>,
    private readonly toasts: ToastStore,
    calm = new Calm(),
  ) {
    this.refreshSoon = inCalm(calm, () => this.refresh(), { after_ms: 100, every_ms: 100 });
  }

  async refresh(): Promise<void> {
    try {
      this.training.set(await this.api.training());
    } catch (error) {
      // The sign in the header says it already.
      explain(error);
    }
    // Events carry the news; this is the net below them, and all there is while they are away.
    if (isActive(this.training.value)) setTimeout(() => this.refreshSoon(), this.hasEvents.value ? 2_000 : 500);
  }

  async setHead(head: HeadKind): Promise<void> {
    const before = this.head.value;
    this.head.set(head);
    try {
      await this.api.setHead(head);
    } catch (error) {
      this.head.set(before);
      this.toasts.show("error", `The head was not changed: ${explain(error)}`);
    }
  }

  async start(kind: Training["kind"] = "head"): Promise<void> {
    this.starting.set(true);
    try {
      await this.saves.settled();
      this.training.set(await this.api.startTraining(kind));
      this.refreshSoon();
    } catch (error) {
      this.toasts.show("error", `Training did not start: ${explain(error)}`);
    } finally {
      this.starting.set(false);
    }
  }

  async stop(): Promise<void> {
    try {
      this.training.set(await this.api.stopTraining());
      this.refreshSoon();
    } catch (error) {
      this.toasts.show("error", `Training was not stopped: ${explain(error)}`);
    }
  }
}

/** Counts and quality: news once a second is soon enough, however fast somebody labels. */
export class StatsWatch {
  readonly stats = new Signal<Stats | null>(null);
  readonly refreshSoon: () => void;

  /** `tally`: what was said on this page, to be counted at once and while the server is away. */
  constructor(
    private readonly api: Pick<Api, "stats">,
    calm = new Calm(),
    readonly tally = new LabelTally(),
  ) {
    this.refreshSoon = inCalm(calm, () => this.refresh(), { after_ms: 250, every_ms: 1_000 });
  }

  async refresh(): Promise<void> {
    try {
      for (let tries = 1; ; tries += 1) {
        const known = this.tally.known();
        const stats = await this.api.stats();
        // An image that was saved meanwhile may be in the count already: with what is ahead of it, it would count twice.
        if (tries < MOST_COUNTS && this.tally.hasMoreThan(known)) continue;
        this.stats.set(stats);
        this.tally.counted(known);
        return;
      }
    } catch (error) {
      explain(error);
    }
  }
}
