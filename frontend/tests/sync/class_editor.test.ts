import { expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { ApiError } from "../../src/api/errors";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { LabelClass } from "../../src/state/types";
import { ClassEditing } from "../../src/sync/class_editor";

const CAT: LabelClass = { id: 1, name: "cat", color: "#ff0000", group: null };
const USAGE = { points: 0, regions: 0, labels: 3, images: 3 };

function make(api: Partial<Api>) {
  const classes = new Signal<readonly LabelClass[]>([CAT]);
  const toasts = new ToastStore();
  const changed = vi.fn();
  const whole = { config: () => Promise.resolve({ classes: [] }), removedClasses: () => Promise.resolve([]), ...api } as unknown as Api;
  return { editing: new ClassEditing(whole, "classification", classes, toasts, changed), classes, toasts, changed };
}

test("a removal says what went, and its toast brings it back", async () => {
  const restoreClass = vi.fn(() => Promise.resolve({ ...CAT, annotations_restored: 3, annotations_changed: 0 }));
  const { editing, classes, toasts, changed } = make({
    classUsage: () => Promise.resolve(USAGE),
    removeClass: () => Promise.resolve({ annotations_removed: 3 }),
    restoreClass,
  });
  await editing.remove(CAT);
  expect(classes.value).toEqual([]);
  expect(changed).toHaveBeenCalledOnce();
  const [toast] = toasts.value;
  expect(toast?.text).toBe("Class “cat” removed, with 3 images.");
  toast?.action?.run();
  expect(restoreClass).toHaveBeenCalledWith(1);
});

test("a merge is undone from its message, which then says what was changed since", async () => {
  const restoreClass = vi.fn(() => Promise.resolve({ ...CAT, annotations_restored: 2, annotations_changed: 1 }));
  const { editing, toasts, changed } = make({ mergeClass: () => Promise.resolve({ annotations_moved: 3 }), restoreClass });
  await editing.merge(CAT, { id: 2, name: "dog", color: "#00ff00", group: null });
  const [toast] = toasts.value;
  expect(toast?.text).toBe("“cat” is “dog” now: 3 annotations moved.");
  toast?.action?.run();
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(2));
  expect(restoreClass).toHaveBeenCalledWith(1);
  expect(toasts.value.at(-1)?.text).toBe("Class “cat” is back, with 2 annotations; 1 that was changed since stays as it is.");
});

test("what the server refuses is told and changes nothing", async () => {
  const refusal = new ApiError(409, "ConflictError", "There is a class 'cat' already.", null);
  const { editing, classes, toasts, changed } = make({ addClass: () => Promise.reject(refusal) });
  expect(await editing.add("Cat")).toBeNull();
  expect(toasts.value.map(({ kind, text }) => [kind, text])).toEqual([["error", "There is a class 'cat' already."]]);
  expect(classes.value).toEqual([CAT]);
  expect(changed).not.toHaveBeenCalled();
});

test("a class that was brought back another way takes the message of its removal or merge away", async () => {
  const { editing, toasts } = make({
    classUsage: () => Promise.resolve(USAGE),
    removeClass: () => Promise.resolve({ annotations_removed: 3 }),
    mergeClass: () => Promise.resolve({ annotations_moved: 3 }),
    restoreClass: () => Promise.resolve({ ...CAT, annotations_restored: 3, annotations_changed: 0 }),
  });
  const texts = (): string[] => toasts.value.map(({ text }) => text);
  await editing.remove(CAT);
  await editing.restore(CAT);
  expect(texts()).toEqual(["Class “cat” is back, with all that it had."]);
  await editing.merge(CAT, { id: 2, name: "dog", color: "#00ff00", group: null });
  await editing.restore(CAT);
  expect(texts()).toEqual(["Class “cat” is back, with all that it had."]);
});
