import { describe, expect, test } from "vitest";

import { Diagnostics, reportText, Ring, shortAddress, withoutFolders, type ReportFacts } from "../../src/state/report";
import { noteErrors, ToastStore } from "../../src/state/toasts";

const NOW = new Date("2026-01-02T03:04:05Z");
const FACTS: ReportFacts = {
  version: "1.2.3", browser: "Firefox", screen: "1280 x 720", task: "segmentation", extractor: "dinov3", image_id: 7,
  server: "answers", training: "IDLE", saves: "saved", counts: { images: 20, labelled: 3 },
}; // prettier-ignore

test("Ring: the newest few, oldest first", () => {
  const ring = new Ring<number>(2);
  for (const number of [1, 2, 3]) ring.push(number);
  expect(ring.items).toEqual([2, 3]);
});

test.each([
  ["http://127.0.0.1:8000/s/one/api/images?q=secret&limit=5", "api/images?q&limit"],
  ["http://127.0.0.1:8000/api/images/3/annotations", "api/images/3/annotations"],
])("shortAddress: %s", (url, short) => expect(shortAddress(url)).toBe(short));

test.each([
  ["/home/ann/pictures/cat.png is no image", "…/cat.png is no image"],
  ["in ~/data/cat.png: broken", "in …/cat.png: broken"],
  [String.raw`C:\Users\ann\cat.png is no image`, String.raw`…\cat.png is no image`],
  ["at http://127.0.0.1/assets/index-1.js:3:4", "at …/index-1.js:3:4"],
  ["3 / 4 images, and/or more", "3 / 4 images, and/or more"],
])("withoutFolders: %s", (text, clean) => expect(withoutFolders(text)).toBe(clean));

describe("reportText", () => {
  test("says everything, and no folder", () => {
    const diagnostics = new Diagnostics(() => NOW);
    diagnostics.request("GET", "http://host/api/images?q=ann", 500, 12.6);
    diagnostics.request("PUT", "http://host/api/images/3/annotations", null, 3);
    diagnostics.error("/home/ann/cat.png cannot be read");
    const text = reportText(FACTS, diagnostics, NOW);
    for (const part of ["version: 1.2.3", "images 20, labelled 3", "GET api/images?q 500 13 ms", "no answer 3 ms", "…/cat.png"]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("ann/");
    expect(text).not.toContain("q=ann");
  });

  test("before anything happened", () => {
    expect(reportText(FACTS, new Diagnostics(), NOW)).toContain("errors: none");
  });
});

test("noteErrors: errors that were shown, once each", () => {
  const [diagnostics, toasts] = [new Diagnostics(() => NOW), new ToastStore()];
  noteErrors(diagnostics, toasts);
  toasts.show("error", "It broke.", { detail: "Because." });
  toasts.show("info", "All is well.");
  toasts.show("error", "Again.");
  expect(diagnostics.errors.map(({ text }) => text)).toEqual(["It broke. Because.", "Again."]);
});
