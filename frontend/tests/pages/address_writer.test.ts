import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { AddressWriter } from "../../src/pages/labeling/address_writer";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A browser that takes 100 addresses in 30 s, and refuses more with an exception, as Safari does. */
class StrictHistory {
  readonly written: { readonly hash: string; readonly at_ms: number; readonly is_entry: boolean }[] = [];
  refuses = false;

  pushState = (_state: unknown, _title: string, hash?: string | URL | null): void => this.#write(String(hash), true);
  replaceState = (_state: unknown, _title: string, hash?: string | URL | null): void => this.#write(String(hash), false);

  #write(hash: string, is_entry: boolean): void {
    const at_ms = performance.now();
    if (this.refuses || this.written.filter((one) => one.at_ms > at_ms - 30_000).length >= 100) throw new DOMException("too many", "SecurityError");
    this.written.push({ hash, at_ms, is_entry });
  }
}

/** A page on images, of which each is an entry. */
function open(): { history: StrictHistory; show: (image_id: number) => void } {
  const history = new StrictHistory();
  let [shown, told] = [0, 0];
  const writer = new AddressWriter(history, () => tell());
  const tell = (): void => {
    if (told !== shown && writer.write(`#/image/${shown}`, true)) told = shown;
  };
  return {
    history,
    show: (image_id) => {
      shown = image_id;
      tell();
    },
  };
}

test("write: each image that a person looks at is an entry of its own, at once", () => {
  const { history, show } = open();
  for (let image_id = 1; image_id <= 10; image_id += 1) show(image_id);
  expect(history.written.map(({ hash, is_entry }) => [hash, is_entry])).toEqual(Array.from({ length: 10 }, (_, i) => [`#/image/${i + 1}`, true]));
});

test("write: a key held down for a minute writes what the browser takes, and the last image once it is let go", async () => {
  const { history, show } = open();
  for (let image_id = 1; image_id <= 1_800; image_id += 1) {
    show(image_id);
    await vi.advanceTimersByTimeAsync(33);
  }
  await vi.advanceTimersByTimeAsync(500);
  expect(history.written.at(-1)?.hash).toBe("#/image/1800");
  expect(history.written.length).toBeGreaterThan(100);
});

test("write: what the browser refuses is written later, and nothing is thrown", async () => {
  const { history, show } = open();
  history.refuses = true;
  show(1);
  show(2);
  await vi.advanceTimersByTimeAsync(20_000);
  history.refuses = false;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(history.written.map(({ hash }) => hash)).toEqual(["#/image/2"]);
});
