import { Signal } from "../state/signal";

const REST_MS = 5_000;

/** When to say that nothing is left to answer: not to somebody who is at work on the last image. */
export class AllDoneMoment {
  readonly has_come = new Signal(true);
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Something was done to an image. */
  acted(): void {
    this.#stop();
    this.has_come.set(false);
    this.#timer = setTimeout(() => this.has_come.set(true), REST_MS);
  }

  /** The person went on, and there was nothing to go to. */
  cameToTheEnd(): void {
    this.#stop();
    this.has_come.set(true);
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
