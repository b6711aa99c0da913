import { vi } from "vitest";

import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import type { Annotation, Draft } from "../../src/state/types";
import type { SlowStorage } from "../../src/sync/draft_storage";
import { SaveQueue, type SaveListener } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

export const KEY = "unsaved";

interface Call {
  readonly image_id: number;
  readonly draft: Draft;
  readonly revision: number | null;
  readonly answer: (annotation: Annotation) => void;
  readonly fail: (error: Error) => void;
}

/** Save queues, one a tab, over one storage and a server that a test answers for. */
export class SaveRig {
  readonly calls: Call[] = [];
  readonly storage = memoryStorage();
  readonly listener = {
    saved: vi.fn<SaveListener["saved"]>(),
    changed: vi.fn<SaveListener["changed"]>(),
    conflict: vi.fn<SaveListener["conflict"]>(),
    rejected: vi.fn<SaveListener["rejected"]>(),
  };

  queue(overflow: SlowStorage | null = null): SaveQueue {
    const put = (image_id: number, draft: Draft, revision: number | null): Promise<Annotation> =>
      new Promise((answer, fail) => this.calls.push({ image_id, draft, revision, answer, fail }));
    return new SaveQueue(put, this.listener, this.storage, KEY, overflow);
  }

  call(index: number): Call {
    const found = this.calls[index];
    if (!found) throw new Error(`there were ${this.calls.length} calls, none with index ${index}`);
    return found;
  }

  /** What is kept of an image, of all tabs. */
  stored(image_id: number): string[] {
    return [...this.storage.map].filter(([key]) => key.startsWith(`${KEY}:${image_id}:`)).map(([, text]) => text);
  }
}

export function label(class_id: number | null): Draft {
  return { kind: "label", class_id };
}

export function saved(revision: number, class_id: number): Annotation {
  return { ...EMPTY_ANNOTATION, revision, label: { class_id, origin: "human" } };
}

export async function flush(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
