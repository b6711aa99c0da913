import { expect, test } from "vitest";

import type { Api } from "../../src/api/client";
import { UnreachableError } from "../../src/api/errors";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import { TrainingWatch } from "../../src/sync/polling";
import type { SaveQueue } from "../../src/sync/save_queue";

function watching(setHead: () => Promise<unknown>): { training: TrainingWatch; toasts: ToastStore } {
  const toasts = new ToastStore();
  const api = { setHead } as unknown as Api;
  return { training: new TrainingWatch(api, {} as unknown as SaveQueue, new Signal(true), toasts), toasts };
}

test("a chosen head is kept", async () => {
  const { training, toasts } = watching(() => Promise.resolve());
  await training.setHead("conv");
  expect(training.head.value).toBe("conv");
  expect(toasts.value).toEqual([]);
});

test("a head that the server did not take is not shown as chosen, and the person is told", async () => {
  const { training, toasts } = watching(() => Promise.reject(new UnreachableError("gone")));
  await training.setHead("mlp");
  expect(training.head.value).toBe("linear");
  expect(toasts.value.map(({ text }) => text)).toEqual([expect.stringContaining("The head was not changed")]);
});
