/** Browsers refuse more than 100 addresses in 30 s: so many may follow each other at once, one more each time that so many ms have passed. */
const MOST_AT_ONCE = 10;
const ONE_MORE_AFTER_MS = 400;
/** Refused all the same: something else on the page, or an older visit of it, has used them up. */
const AFTER_REFUSAL_MS = 5_000;

/** Writes the page's address; of images that are passed quickly, as by a key that is held down, not each. */
export class AddressWriter {
  #left = MOST_AT_ONCE;
  /** When one was added to `#left` last. */
  #added_ms = -Infinity;
  #refused_until_ms = -Infinity;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `retry`: it is time for an address that was not written. */
  constructor(
    private readonly history: Pick<History, "pushState" | "replaceState">,
    private readonly retry: () => void,
  ) {}

  /** `is_entry`: as one of its own in the browser's history. False if it was not written, and has to be again when `retry` is called. */
  write(hash: string, is_entry: boolean): boolean {
    const now_ms = performance.now();
    this.#refill(now_ms);
    if (this.#left === 0 || now_ms < this.#refused_until_ms) {
      this.#retryAt(Math.max(this.#added_ms + ONE_MORE_AFTER_MS, this.#refused_until_ms) - now_ms);
      return false;
    }
    try {
      if (is_entry) this.history.pushState(null, "", hash);
      else this.history.replaceState(null, "", hash);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "SecurityError")) throw error;
      this.#refused_until_ms = now_ms + AFTER_REFUSAL_MS;
      this.#retryAt(AFTER_REFUSAL_MS);
      return false;
    }
    this.#left -= 1;
    return true;
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #refill(now_ms: number): void {
    const more = Math.floor((now_ms - this.#added_ms) / ONE_MORE_AFTER_MS);
    if (this.#left + more >= MOST_AT_ONCE) {
      this.#left = MOST_AT_ONCE;
      this.#added_ms = now_ms;
    } else {
      this.#left += more;
      this.#added_ms += more * ONE_MORE_AFTER_MS;
    }
  }

  #retryAt(wait_ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.retry();
    }, wait_ms);
  }
}
