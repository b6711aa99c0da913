import { explain } from "../api/errors";
import type { ToastStore } from "../state/toasts";
import type { Stats } from "../state/types";
import type { StatsWatch } from "./polling";

/** A change of a label lets the live head take over from a run's head: said, with the way back to that one. */
export function tellWhenLiveHeadTakesOver(
  { stats }: Pick<StatsWatch, "stats">,
  toasts: ToastStore,
  activate: (checkpoint_id: number) => Promise<unknown>,
): void {
  let before: Stats | null = null;
  stats.subscribe(() => {
    const now = stats.value;
    const left = before?.head ?? null;
    const figure = before?.held_out ?? null;
    before = now;
    const took_over = now?.head?.kind === "live" && now.head.checkpoint_id === null;
    if (!took_over || left?.kind !== "run" || left.checkpoint_id === null) return;
    const { checkpoint_id } = left;
    const name = left.run_id === null ? "the run" : `run ${left.run_id}`;
    const quality = figure === null ? "" : ` (held-out ${Math.round(figure.value * 100)} %)`;
    toasts.show("warning", `The live head predicts again, as a label changed. The head of ${name}${quality} stays saved.`, {
      action: {
        text: `Back to ${name}`,
        run: () => void activate(checkpoint_id).catch((error: unknown) => toasts.show("error", explain(error))),
      },
    });
  });
}
