import { expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { newRegion } from "../../src/state/regions";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import { ToolState } from "../../src/state/tools";
import type { Labelling } from "../../src/sync/labelling";
import type { PredictionWatch } from "../../src/sync/prediction_watch";
import { RegionWork } from "../../src/sync/regions";

test("reshape: a triangle with a corner dragged onto the opposite side stays as it was, and the person is told", () => {
  const [annotations, toasts] = [new AnnotationStore(), new ToastStore()];
  const work = new RegionWork(annotations, {} as unknown as Labelling, new ToolState(), new Signal([]), {} as unknown as PredictionWatch, toasts);
  const triangle = newRegion({ kind: "polygon", geometry: { rings: [[[2, 2], [10, 2], [2, 8]]] } }, 1); // prettier-ignore
  annotations.open(1, { ...EMPTY_ANNOTATION, regions: [triangle] });
  work.reshape(triangle, { rings: [[[6, 5], [10, 2], [2, 8]]] }, { width: 20, height: 20 }); // prettier-ignore
  expect([annotations.regions, toasts.value.length]).toEqual([[triangle], 1]);
  work.reshape(triangle, { rings: [[[1, 1], [10, 2], [2, 8]]] }, null); // prettier-ignore
  expect(annotations.regions[0]?.geometry).toMatchObject({ rings: [[[1, 1], [10, 2], [2, 8]]] }); // prettier-ignore
});
