import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** As much of an element as a picture of a tile asks for. */
class FakeElement {
  isConnected = true;
  is_blank = false;
  readonly images: FakeImage[] = [];
  closest = (): object | null => (this.is_blank ? {} : null);
  prepend = (image: FakeImage): number => this.images.push(image);
}

class FakeImage {
  src = "";
  readonly classList = { add: () => undefined, remove: () => undefined };
  getAttribute = (): string => this.src;
  removeAttribute = (): string => (this.src = "");
}

type Picture = FakeElement & { src: string; connectedCallback(): void; disconnectedCallback(): void };

let wake: () => void;
let picture: Picture;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("HTMLElement", FakeElement);
  vi.stubGlobal("Image", FakeImage);
  vi.stubGlobal("customElements", { define: () => undefined });
  const { TilePicture } = await import("../../src/pages/labeling/components/tile_picture");
  wake = () => TilePicture.wake();
  picture = new TilePicture() as unknown as Picture;
  picture.src = "1.png";
  picture.connectedCallback();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const asked = (): string[] => picture.images.map(({ src }) => src);

test("load: a tile in sight asks for its picture", () => {
  vi.advanceTimersByTime(1_000);
  expect(asked()).toEqual(["1.png"]);
});

test("load: a blank tile waits without a timer, until it is drawn again or shows another picture", () => {
  picture.is_blank = true;
  vi.advanceTimersByTime(1_000);
  expect([asked(), vi.getTimerCount()]).toEqual([[], 0]);
  wake();
  expect(vi.getTimerCount()).toBe(0);
  picture.is_blank = false;
  wake();
  vi.advanceTimersByTime(1_000);
  expect([asked(), vi.getTimerCount()]).toEqual([["1.png"], 0]);
  picture.is_blank = true;
  picture.src = "2.png";
  vi.advanceTimersByTime(1_000);
  expect([asked(), vi.getTimerCount()]).toEqual([[""], 0]);
  picture.is_blank = false;
  picture.src = "3.png";
  vi.advanceTimersByTime(1_000);
  expect(asked()).toEqual(["3.png"]);
});

test("disconnectedCallback: a blank tile that is gone is not woken", () => {
  picture.is_blank = true;
  vi.advanceTimersByTime(1_000);
  picture.disconnectedCallback();
  picture.is_blank = false;
  wake();
  expect(vi.getTimerCount()).toBe(0);
});
