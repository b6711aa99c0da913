import { expect, test } from "vitest";

import { Signal } from "../../src/state/signal";
import type { Health } from "../../src/state/types";
import { noticeOtherVersion } from "../../src/sync/polling";

function health(version: string): Health {
  const extraction = { state: "done", total: 1, done: 1, failed: 0, pooled_done: 1, rate_images_s: null, eta_s: null, message: null } as const;
  return { version, ml_service: { alive: true, starting: false, heartbeat_age_s: 0 }, extraction };
}

test("noticeOtherVersion: once the server is another one than at first, also after it was away", () => {
  const [found, outdated] = [new Signal<Health | "unreachable" | null>(null), new Signal(false)];
  noticeOtherVersion(found, outdated);
  found.set(health("1.0"));
  found.set("unreachable");
  expect(outdated.value).toBe(false);
  found.set(health("1.1"));
  expect(outdated.value).toBe(true);
  found.set(health("1.0"));
  expect(outdated.value).toBe(false);
});
