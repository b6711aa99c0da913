import { expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { newRegion } from "../../src/state/regions";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import { ToolState } from "../../src/state/tools";
import type { Point } from "../../src/state/types";
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

function selecting(points: readonly Point[]) {
  const [annotations, tools] = [new AnnotationStore(), new ToolState()];
  const work = new RegionWork(annotations, {} as unknown as Labelling, tools, new Signal([]), {} as unknown as PredictionWatch, new ToastStore());
  annotations.open(1, { ...EMPTY_ANNOTATION, points });
  tools.tool.set("select");
  /** As the server answers: in an order of its own. */
  const answer = (): void => {
    const sent = annotations.draft("points");
    if (sent.kind !== "points") return;
    const saved = [...sent.points].sort((a, b) => b.x - a.x).map((point, i) => ({ ...point, id: 100 * (annotations.current.value.revision + 1) + i }));
    annotations.acknowledge(1, sent, { ...annotations.current.value, revision: annotations.current.value.revision + 1, points: saved });
  };
  const selectedPlaces = (): number[] => tools.selection.value.points.map((i) => annotations.current.value.points[i]?.x ?? -1).sort((a, b) => a - b);
  return { annotations, tools, work, answer, selectedPlaces };
}

function at(x: number, class_id = 1): Point {
  return { id: null, x, y: 5, class_id, origin: "human" };
}

test("setClassOfSelected: the same points stay selected after the server has sorted them anew, and Del removes those", () => {
  const { annotations, tools, work, answer, selectedPlaces } = selecting([at(1), at(2), at(3), at(4)]);
  tools.selection.set({ points: [0, 1], regions: [] });
  work.setClassOfSelected(2);
  answer();
  expect(selectedPlaces()).toEqual([1, 2]);
  work.setClassOfSelected(3);
  answer();
  work.removeSelected();
  expect(annotations.current.value.points.map(({ x }) => x).sort()).toEqual([3, 4]);
});

test("moveSelected: steps after a drag move the very point that was dragged, though it was saved in between", () => {
  const { annotations, tools, work, answer, selectedPlaces } = selecting([at(10), at(20), at(30)]);
  tools.selection.set({ points: [0], regions: [] });
  work.moveSelected([15, 0]);
  answer();
  expect(selectedPlaces()).toEqual([25]);
  work.moveSelected([0, 60]);
  expect(annotations.current.value.points.filter(({ y }) => y === 65).map(({ x }) => x)).toEqual([25]);
});

test("moveSelected: undone by the server, the points are selected where they were before", () => {
  const { annotations, tools, work, answer, selectedPlaces } = selecting([at(10), at(20), at(30)]);
  tools.selection.set({ points: [0, 2], regions: [] });
  work.moveSelected([100, 0]);
  answer();
  const { value } = annotations.current;
  annotations.receive(1, { ...value, revision: value.revision + 1, points: [at(30), at(20), at(10)].map((point, i) => ({ ...point, id: 50 + i })) });
  expect(selectedPlaces()).toEqual([10, 30]);
});
