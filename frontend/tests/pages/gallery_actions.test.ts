import { expect, test } from "vitest";

import type { App } from "../../src/app";
import { GalleryActions } from "../../src/pages/labeling/components/gallery_actions";
import { MOST_UNASKED, type BulkChange } from "../../src/state/bulk";
import { NO_FILTER } from "../../src/state/image_filter";
import { NOTHING_SELECTED, type Selection } from "../../src/state/selection";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { Acceptable } from "../../src/sync/acceptable_images";

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function make(count: number) {
  const ids = Array.from({ length: count }, (_, place) => place + 1);
  const sent: BulkChange[] = [];
  const listed = new Signal<ReadonlySet<number>>(new Set(ids));
  const app = {
    acceptable: { find: (): Promise<Acceptable> => Promise.resolve({ ids, total: count }) },
    gallery: { listed, seen: (id: number) => ({ id, version: 1 }), confidence: (id: number) => 0.3 + id / 1000 },
    bulk: {
      change: (change: BulkChange): Promise<readonly number[]> => {
        sent.push(change);
        return Promise.resolve([]);
      },
    },
    toasts: new ToastStore(),
    filter: new Signal(NO_FILTER),
    gallery_sort: new Signal("id"),
  };
  const selected: { now: Selection } = { now: NOTHING_SELECTED };
  const select = (selection: Selection): void => void (selected.now = selection);
  return { actions: new GalleryActions(() => app as unknown as App, () => selected.now, select), sent, listed, selected, app };
}

test("acceptAll: a few at once", async () => {
  const { actions, sent } = make(MOST_UNASKED);
  await actions.acceptAll();
  expect([sent.length, actions.question]).toEqual([1, null]);
});

test("acceptAll: of many it asks, with the lowest confidence among them, and does nothing until it is answered", async () => {
  const { actions, sent } = make(73);
  await actions.acceptAll();
  expect(actions.question?.text).toBe("Accept 73 predictions at once? The least sure of them has 30 %.");
  expect(actions.run("escape", () => undefined, () => false)).toBe(true);
  expect([sent, actions.question]).toEqual([[], null]);
  await actions.acceptAll();
  actions.answer(true);
  await soon();
  expect(sent.map(({ images }) => images.length)).toEqual([73]);
});

test("acceptAll: a question about another list is void", async () => {
  const { actions, sent, listed } = make(73);
  await actions.acceptAll();
  listed.set(new Set([1]));
  expect(actions.question).toBeNull();
  actions.answer(true);
  await soon();
  expect(sent).toEqual([]);
});

test("acceptAll: what was refused is said, and nothing is accepted", async () => {
  const { actions, sent, app } = make(3);
  app.acceptable.find = () => Promise.resolve({ ids: [], total: null, refusal: "still loading" });
  await actions.acceptAll();
  expect([sent, app.toasts.value.map(({ text }) => text)]).toEqual([[], ["still loading"]]);
});

test.each([["classification", []], ["multilabel", [3]]])("choose: in a %s session %j stays selected, and undo selects what was labelled", async (task, left) => {
  const { actions, selected, app } = make(3);
  Object.assign(app, { config: { task }, classes: new Signal([{ id: 1, name: "lion" }]), noteClass: () => undefined });
  Object.assign(app.gallery, { image: () => null });
  selected.now = { ids: new Set([3]), place: 2, anchor: 2 };
  await actions.choose(1);
  expect([[...selected.now.ids], selected.now.place]).toEqual([left, 2]);
  actions.reselect([3, 4], true);
  expect([...selected.now.ids]).toEqual([3]);
});

test("choose: what the server did not take is selected again, and nothing else", async () => {
  const { actions, selected, app } = make(4);
  Object.assign(app, { config: { task: "classification" }, classes: new Signal([]), noteClass: () => undefined });
  app.bulk.change = () => Promise.resolve([2]);
  selected.now = { ids: new Set([1, 2, 3, 4]), place: 2, anchor: 2 };
  await actions.choose(1);
  expect([...selected.now.ids]).toEqual([2]);
});

test("choose: what failed is selected again, unless something else is", async () => {
  const { actions, selected, app } = make(3);
  Object.assign(app, { config: { task: "classification" }, classes: new Signal([]), noteClass: () => undefined });
  app.bulk.change = () => Promise.resolve([3]);
  selected.now = { ids: new Set([3]), place: 2, anchor: 2 };
  await actions.choose(1);
  expect([...selected.now.ids]).toEqual([3]);
  const done = actions.choose(1);
  selected.now = { ...selected.now, ids: new Set([2]) };
  await done;
  expect([...selected.now.ids]).toEqual([2]);
});

test("run: a selection takes the question away, so that Escape clears the selection", async () => {
  const { actions, selected } = make(73);
  await actions.acceptAll();
  selected.now = { ...NOTHING_SELECTED, ids: new Set([3]) };
  let cleared = 0;
  const escape = (): boolean => {
    cleared += 1;
    selected.now = NOTHING_SELECTED;
    return true;
  };
  expect([actions.run("escape", () => undefined, escape), cleared, actions.question]).toEqual([true, 1, null]);
});
