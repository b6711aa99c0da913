import { expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { LabelTally } from "../../src/state/label_tally";
import type { Stats } from "../../src/state/types";
import { Calm } from "../../src/sync/calm";
import { StatsWatch } from "../../src/sync/polling";

const counted = (labeled: number): Stats => ({ by_status: { labeled } }) as unknown as Stats;

test("refresh: an image that is saved while the server counts counts once", async () => {
  const on_its_way = new Set<number>();
  const annotations = new AnnotationStore();
  const tally = new LabelTally((image_id) => on_its_way.has(image_id));
  annotations.onChange((change) => tally.note(change, annotations.current.value));
  annotations.open(1, EMPTY_ANNOTATION);
  const seen: number[] = [];
  let n_asked = 0;
  const watch = new StatsWatch(
    {
      stats: () => {
        n_asked += 1;
        // The label is in the database before the page hears that it was saved, and before the server counts.
        on_its_way.delete(1);
        return Promise.resolve(counted(2));
      },
    },
    new Calm(),
    tally,
  );
  const look = (): void => {
    const { value } = watch.stats;
    if (value !== null) seen.push(value.by_status.labeled + tally.ahead.value);
  };
  watch.stats.subscribe(look);
  tally.ahead.subscribe(look);
  annotations.setLabel(2);
  on_its_way.add(1);
  await watch.refresh();
  expect(n_asked).toBe(2);
  expect(seen.at(-1)).toBe(2);
});

test("refresh: what is never at rest is told all the same", async () => {
  const annotations = new AnnotationStore();
  const tally = new LabelTally();
  annotations.onChange((change) => tally.note(change, annotations.current.value));
  let image_id = 0;
  const watch = new StatsWatch(
    {
      stats: () => {
        image_id += 1;
        annotations.open(image_id, EMPTY_ANNOTATION);
        annotations.setLabel(2);
        return Promise.resolve(counted(image_id));
      },
    },
    new Calm(),
    tally,
  );
  await watch.refresh();
  expect(watch.stats.value?.by_status.labeled).toBe(3);
});
