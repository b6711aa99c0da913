import { expect, test, vi } from "vitest";

import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { HeadInForce, Stats } from "../../src/state/types";
import { tellWhenLiveHeadTakesOver } from "../../src/sync/head_change";

const LIVE: HeadInForce = { kind: "live", run_id: null, checkpoint_id: null };
const RUN: HeadInForce = { kind: "run", run_id: 3, checkpoint_id: 12 };

function having(head: HeadInForce): Stats {
  return { head, held_out: { value: 0.934, images: 3, samples: 24 } } as Stats;
}

test("the live head takes over from a run's: said once, with the way back", () => {
  const stats = new Signal<Stats | null>(null);
  const toasts = new ToastStore();
  const activate = vi.fn(() => Promise.resolve());
  tellWhenLiveHeadTakesOver({ stats }, toasts, activate);
  for (const head of [LIVE, LIVE, RUN]) stats.set(having(head));
  expect(toasts.value).toEqual([]);
  stats.set(having(LIVE));
  stats.set(having(LIVE));
  expect(toasts.value.map(({ text }) => text)).toEqual([
    "The live head predicts again, as a label changed. The head of run 3 (held-out 93 %) stays saved.",
  ]);
  toasts.value[0]?.action?.run();
  expect(activate).toHaveBeenCalledWith(12);
});
