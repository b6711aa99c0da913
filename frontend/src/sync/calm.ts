/** What the person just did is answered first. */
const ANSWER_FIRST_MS = 450;
/** An overlay that takes longer holds up nothing else any more. */
const AWAIT_MS = 2_000;
const LOOK_AGAIN_MS = 50;
/** A series of clicks may go on for ever. */
const LATEST_MS = 5_000;

/**
 * Tells when nobody waits for the answer to a click: whatever else the page would ask the server for comes then. The
 * server has better things to do between a click and its overlay, and so has the connection.
 */
export class Calm {
  #acted_at_ms = -Infinity;
  #has_moved_on = false;

  /** `isAwaited`: whether the overlay has yet to learn from what was done; `isSaving`: whether that is on its way yet. */
  constructor(
    private readonly isAwaited: () => boolean = () => false,
    private readonly isSaving: () => boolean = () => false,
  ) {}

  /** The person changed something. */
  acted(): void {
    this.#acted_at_ms = performance.now();
    this.#has_moved_on = false;
  }

  /** Another image is open: nobody looks at the overlay any more, but what was done is to reach the server first. */
  movedOn(): void {
    this.#has_moved_on = true;
  }

  /** Resolves in the next quiet moment; at once, if that is now. */
  async come(): Promise<void> {
    const latest_ms = performance.now() + LATEST_MS;
    for (;;) {
      const wait_ms = Math.min(this.#waitMs(), latest_ms - performance.now());
      if (wait_ms <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
    }
  }

  #waitMs(): number {
    const since_ms = performance.now() - this.#acted_at_ms;
    if (this.#has_moved_on) return since_ms < AWAIT_MS && this.isSaving() ? LOOK_AGAIN_MS : 0;
    if (since_ms < ANSWER_FIRST_MS) return ANSWER_FIRST_MS - since_ms;
    return since_ms < AWAIT_MS && this.isAwaited() ? LOOK_AGAIN_MS : 0;
  }
}

export interface Pace {
  /** Between being asked for and being done: what comes close together is one. */
  readonly after_ms: number;
  /** Between two times. */
  readonly every_ms: number;
}

/** Does `work` in a quiet moment after it was asked for, once however often that was. */
export function inCalm(calm: Calm, work: () => Promise<void>, { after_ms, every_ms }: Pace): () => void {
  let is_due = false;
  let last_ms = -Infinity;
  const run = async (): Promise<void> => {
    await calm.come();
    is_due = false;
    last_ms = performance.now();
    await work();
  };
  return () => {
    if (is_due) return;
    is_due = true;
    setTimeout(() => void run(), Math.max(after_ms, last_ms + every_ms - performance.now()));
  };
}
