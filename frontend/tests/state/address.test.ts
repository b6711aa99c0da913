import { expect, test } from "vitest";

import { imageIdInHash, isGallery, isNewEntry, newHash } from "../../src/state/address";
import { NO_FILTER } from "../../src/state/image_filter";

const OPEN = { image_id: 12, in_gallery: false, filter: NO_FILTER, sort: "confidence" } as const;

test("newHash: names the open image or the gallery, with the filter", () => {
  const filter = { ...NO_FILTER, status: "labeled", text: "it's \"a<b\"" } as const;
  const said = `?status=labeled&q=${encodeURIComponent(filter.text)}`;
  expect(newHash("", { ...OPEN, filter })).toBe(`#/image/12${said}`);
  expect(newHash("#/image/12", { ...OPEN, filter, in_gallery: true })).toBe(`#/gallery${said}&sort=confidence`);
});

test.each([
  ["it says so already", "#/image/12", OPEN],
  ["nothing is open", "", { ...OPEN, image_id: null }],
  ["the start page was asked for", "#/start", OPEN],
])("newHash: nothing to set where %s", (_why, hash, open) => {
  expect(newHash(hash, open)).toBeNull();
});

test.each([
  ["the first image", null, { image_id: 1, in_gallery: false }, false],
  ["the same image, with another filter", 1, { image_id: 1, in_gallery: false }, false],
  ["another image", 1, { image_id: 2, in_gallery: false }, true],
  ["the gallery, over whatever image", 1, { image_id: 2, in_gallery: true }, false],
  ["no image", 1, { image_id: null, in_gallery: false }, false],
])("isNewEntry: %s", (_what, entry_image_id, place, is_new) => {
  expect(isNewEntry(entry_image_id, place)).toBe(is_new);
});

test("newHash: what it gives is what the browser gives back", () => {
  const filter = { ...NO_FILTER, text: "ä 'x' `y` \"z\" #?&%" };
  const hash = newHash("", { ...OPEN, filter }) ?? "";
  expect(newHash(new URL(hash, "http://host/page").hash, { ...OPEN, filter })).toBeNull();
});

test("imageIdInHash: only of an address of an image", () => {
  expect(["#/image/12", "#/image/12?q=a", "#/image/12x", "#/gallery?q=#/image/1", ""].map(imageIdInHash)).toEqual([12, 12, null, null, null]);
});

test("isGallery: only of an address of the gallery", () => {
  expect(["#/gallery", "#/gallery?q=a", "#/galleryx", "#/image/1"].map(isGallery)).toEqual([true, true, false, false]);
});
