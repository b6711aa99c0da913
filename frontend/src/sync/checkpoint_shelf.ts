import type { Api } from "../api/client";
import { explain } from "../api/errors";
import type { CheckpointComparison, CheckpointDetails, CheckpointList, PrunePlan } from "../state/checkpoints";
import { Signal } from "../state/signal";
import { counted } from "../state/words";
import type { ToastStore } from "../state/toasts";
import { throttled } from "./polling";

export type ShelfView =
  | { readonly kind: "list" }
  | { readonly kind: "details"; readonly details: CheckpointDetails }
  | { readonly kind: "comparison"; readonly comparison: CheckpointComparison }
  | { readonly kind: "prune"; readonly keep: number; readonly plan: PrunePlan };

const LIST: ShelfView = { kind: "list" };
const PAGE = 50;
const REFRESH_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 250;

/** The saved heads while their dialog is open: lists, looks at, compares, switches and removes them. */
export class CheckpointShelf {
  readonly checkpoints = new Signal<CheckpointList | null>(null);
  readonly view = new Signal<ShelfView>(LIST);
  /** The two that are to be compared, in the order of choice. */
  readonly chosen = new Signal<readonly number[]>([]);
  readonly busy = new Signal(false);
  readonly refreshSoon = throttled(() => this.refresh(), LOOK_EVERY_MS);
  #open = false;
  #wanted = PAGE;

  constructor(
    private readonly api: Api,
    private readonly toasts: ToastStore,
    private readonly onHeadChanged: () => void,
  ) {}

  setOpen(open: boolean): void {
    if (open === this.#open) return;
    this.#open = open;
    if (open) {
      this.#wanted = PAGE;
      this.showList();
      void this.#watch();
    }
  }

  /** Something happened on the server that may concern the list. */
  hear(): void {
    if (this.#open) this.refreshSoon();
  }

  showList(): void {
    this.view.set(LIST);
  }

  choose(id: number, is_chosen: boolean): void {
    const others = this.chosen.value.filter((other) => other !== id);
    // A third one takes the place of the one chosen first.
    this.chosen.set(is_chosen ? [...others, id].slice(-2) : others);
  }

  async refresh(): Promise<void> {
    try {
      const found = await this.api.checkpoints(this.#wanted);
      this.checkpoints.set(found);
      this.chosen.set(this.chosen.value.filter((id) => found.rows.some((row) => row.id === id)));
    } catch (error) {
      // The sign in the header says it already.
      explain(error);
    }
  }

  /** One more page of older ones. */
  async showMore(): Promise<void> {
    this.#wanted += PAGE;
    await this.#do(() => this.refresh());
  }

  async inspect(id: number): Promise<void> {
    await this.#do(async () => {
      this.view.set({ kind: "details", details: await this.api.checkpoint(id) });
    });
  }

  /** The older of the two chosen is a. */
  async compare(): Promise<void> {
    const [a, b] = [...this.chosen.value].sort((x, y) => x - y);
    if (a === undefined || b === undefined) return;
    await this.#do(async () => {
      this.view.set({ kind: "comparison", comparison: await this.api.compareCheckpoints(a, b) });
    });
  }

  /** Have the two that are shown measured on the same images; follows until it is done. */
  async measure(): Promise<void> {
    const shown = this.view.value;
    if (shown.kind !== "comparison") return;
    const { a, b } = shown.comparison;
    await this.#do(async () => {
      await this.api.measureCheckpoints(a.id, b.id);
      await this.#follow(a.id, b.id);
    });
  }

  async activate(id: number): Promise<void> {
    await this.#switch(() => this.api.activateCheckpoint(id));
  }

  async rollBack(): Promise<void> {
    await this.#switch(() => this.api.rollBack());
  }

  async release(): Promise<void> {
    await this.#switch(() => this.api.releaseCheckpoint());
  }

  async change(id: number, change: { name?: string | null; pinned?: boolean }): Promise<void> {
    await this.#do(async () => {
      await this.api.changeCheckpoint(id, change);
      await this.refresh();
    });
  }

  /** Say what would go. */
  async planPrune(keep: number): Promise<void> {
    await this.#do(async () => {
      this.view.set({ kind: "prune", keep, plan: await this.api.pruneCheckpoints({ keep, dry_run: true }) });
    });
  }

  /** Remove just what was shown. */
  async prune(): Promise<void> {
    const shown = this.view.value;
    if (shown.kind !== "prune") return;
    await this.#do(async () => {
      const only = shown.plan.removed.map(({ id }) => id);
      const { removed } = await this.api.pruneCheckpoints({ keep: shown.keep, dry_run: false, only });
      this.toasts.show("success", `${counted(removed.length, "checkpoint")} removed.`);
      this.showList();
      await this.refresh();
    });
  }

  async #switch(work: () => Promise<unknown>): Promise<void> {
    await this.#do(async () => {
      await work();
      this.onHeadChanged();
      await this.refresh();
    });
  }

  async #follow(a: number, b: number): Promise<void> {
    for (;;) {
      const comparison = await this.api.compareCheckpoints(a, b);
      const shown = this.view.value;
      if (!this.#open || shown.kind !== "comparison" || shown.comparison.a.id !== a || shown.comparison.b.id !== b) return;
      this.view.set({ kind: "comparison", comparison });
      if (comparison.measurement.state !== "queued" && comparison.measurement.state !== "running") return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async #watch(): Promise<void> {
    while (this.#open) {
      await this.refresh();
      await new Promise((resolve) => setTimeout(resolve, REFRESH_EVERY_MS));
    }
  }

  async #do(work: () => Promise<void>): Promise<void> {
    this.busy.set(true);
    try {
      await work();
    } catch (error) {
      this.toasts.show("error", explain(error));
    } finally {
      this.busy.set(false);
    }
  }
}
