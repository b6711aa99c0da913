import { describe, expect, test } from "vitest";

import { predictionText } from "../../src/state/announcements";
import { currentHint, followed, hintsOf, ONE_CLASS } from "../../src/state/hints";
import { BINDINGS } from "../../src/state/keymap";
import type { ShownPrediction } from "../../src/state/prediction";

const NONE = { hints_done: [], hint_dismissed: false };
const TASKS = ["segmentation", "classification", "multilabel"] as const;

describe("hints", () => {
  test.each(TASKS)("%s: each is followed in turn, then none comes back", (task) => {
    let remembered: { hints_done: readonly string[]; hint_dismissed: boolean } = NONE;
    for (const hint of hintsOf(task)) {
      expect(currentHint(task, remembered)?.id).toBe(hint.id);
      const [deed] = hint.by;
      if (deed === undefined) throw new Error("a hint needs a deed");
      remembered = { ...remembered, ...followed(task, remembered, deed) };
    }
    expect(currentHint(task, remembered)).toBeNull();
  });

  test("another deed changes nothing", () => expect(followed("segmentation", NONE, "accept")).toBeNull());
  test("any goes by itself after ten labels that did not follow it", () => {
    const remembered = { hints_done: ["classification:label", "classification:undo"], hint_dismissed: false };
    expect(followed("classification", remembered, "labelled", 9)).toBeNull();
    expect(followed("classification", remembered, "labelled", 10)?.hints_done).toContain("classification:accept");
  });
  test("what is said on a phone names no key", () => {
    const texts = TASKS.flatMap((task) => hintsOf(task).map(({ touch_text = "" }) => touch_text));
    expect(texts.filter((text) => text !== "").length).toBeGreaterThanOrEqual(8);
    expect(texts.join(" ")).not.toMatch(/Press|\{/);
  });
  test("what is no result yet comes first, until it is one or was read", () => {
    const clicked = { ...NONE, hints_done: ["segmentation:click"] };
    expect(currentHint("segmentation", clicked, true)).toBe(ONE_CLASS);
    expect(followed("segmentation", clicked, "labelled", 1, true)).toBeNull();
    expect(currentHint("segmentation", clicked)?.id).toBe("segmentation:follow");
    expect(currentHint("segmentation", { ...NONE, hints_done: ["segmentation:click", ONE_CLASS.id] }, true)?.id).toBe("segmentation:follow");
    expect(currentHint("segmentation", { ...NONE, hints_done: hintsOf("segmentation").map(({ id }) => id) }, true)).toBeNull();
  });
  test("while the keyboard has a cursor, Enter is nowhere said to accept", () => {
    const texts = hintsOf("segmentation").map(({ text, cursor_text = text }) => cursor_text);
    expect(texts[0]).toContain("Enter sets a point");
    expect(texts.join(" ")).not.toMatch(/\{accept\}|click/i);
  });
  test("none once they are put away", () => expect(currentHint("segmentation", { ...NONE, hint_dismissed: true })).toBeNull());
  test.each(TASKS)("%s: every key that is named exists", (task) => {
    const known: readonly string[] = ["class", "other", ...BINDINGS.map(({ command }) => command)];
    const named = hintsOf(task).flatMap(({ text, cursor_text = "" }) => [...`${text} ${cursor_text}`.matchAll(/\{([\w-]+)(?::off)?\}/g)].map((match) => match[1]));
    expect(named.filter((name) => !known.includes(name ?? ""))).toEqual([]);
  });
});

describe("predictionText", () => {
  const classes = [
    { id: 1, name: "brick", color: "#ff0000", group: null },
    { id: 2, name: "grass", color: "#00ff00", group: null },
  ];
  const shown: ShownPrediction = { image_id: 1, version: 1, annotation_revision: 1, probabilities: [], maps: [], refined: false };

  test("classes by probability", () => {
    const probabilities = [{ class_id: 1, p: 0.2 }, { class_id: 2, p: 0.8 }];
    expect(predictionText(classes, { ...shown, probabilities })).toBe("Prediction: grass 80 %, brick 20 %");
  });

  test("area of a segmentation", () => {
    const map = { width: 2, height: 1, values: new Uint8Array([255, 0]) };
    expect(predictionText(classes, { ...shown, maps: [{ class_id: 1, map }] })).toBe("Prediction: brick 50 %, grass 50 % of the area");
  });

  test("one class alone has labels", () => {
    const map = { width: 2, height: 1, values: new Uint8Array([186, 186]) };
    expect(predictionText(classes, { ...shown, maps: [{ class_id: 1, map }] })).toBe("Only brick has labels so far, so everything is predicted as it. Mark a place of grass.");
  });

  test("nothing without one", () => expect([predictionText(classes, null), predictionText(classes, shown)]).toEqual(["", ""]));
});
