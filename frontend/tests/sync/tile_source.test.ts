import { expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { ApiError } from "../../src/api/errors";
import { TileSource } from "../../src/sync/tile_source";

test("a picture is asked for one tile until it came, then for three: labels go by the same connections", async () => {
  vi.stubGlobal("createImageBitmap", () => Promise.resolve({ close: () => undefined }));
  const answers: ((blob: Blob) => void)[] = [];
  const imageTile: Api["imageTile"] = () => new Promise((answer) => answers.push(answer));
  const provider = new TileSource({ imageTile } as unknown as Api).of(1, { width: 9_000, height: 9_000 }, "");
  provider.want([0, 1, 2, 3, 4, 5].map((x) => ({ level: 0, x, y: 0 })));
  expect(answers).toHaveLength(1);
  answers[0]?.(new Blob());
  await vi.waitFor(() => expect(answers).toHaveLength(4));
  vi.unstubAllGlobals();
});

test("a full disk is said once, and its pictures are asked for again a minute later at the earliest", async () => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  vi.stubGlobal("createImageBitmap", () => Promise.resolve({ close: () => undefined }));
  let is_full = true;
  const asked: number[] = [];
  const imageTile: Api["imageTile"] = (image_id) => {
    asked.push(image_id);
    return is_full ? Promise.reject(new ApiError(507, "StorageFullError", "9 MB needed")) : Promise.resolve(new Blob());
  };
  const source = new TileSource({ imageTile } as unknown as Api);
  const said: string[] = [];
  source.onNoRoom = (reason) => said.push(reason);
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const pan = async (image_id: number, x: number): Promise<void> => {
    source.of(image_id, { width: 9_000, height: 9_000 }, "").want([0, 1, 2].map((y) => ({ level: 0, x, y })));
    await settle();
  };
  for (let x = 0; x < 9; x += 1) {
    vi.advanceTimersByTime(5_000);
    await pan(1, x);
  }
  await pan(2, 0);
  expect(asked).toEqual([1, 2]);
  expect(said).toEqual(["9 MB needed"]);
  is_full = false;
  vi.advanceTimersByTime(60_000);
  await pan(1, 0);
  expect(asked).toEqual([1, 2, 1, 1, 1]);
  is_full = true;
  await pan(1, 1);
  expect(said).toHaveLength(2);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
