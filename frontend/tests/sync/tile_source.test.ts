import { expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
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
