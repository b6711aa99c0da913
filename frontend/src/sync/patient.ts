import { Signal, type Readable } from "../state/signal";

/**
 * Follows another signal, but tells of what usually passes at once only when it has lasted: a sign that comes and goes
 * with every click says nothing, flickers, and costs frames that the answer is waited for in.
 */
export function patient<T>(source: Readable<T>, isPassing: (value: T) => boolean, wait_ms: number): Readable<T> {
  const told = new Signal(source.value);
  let timer: ReturnType<typeof setTimeout> | null = null;
  const tell = (): void => {
    timer = null;
    told.set(source.value);
  };
  source.subscribe((value) => {
    if (isPassing(value)) {
      timer ??= setTimeout(tell, wait_ms);
      return;
    }
    if (timer !== null) clearTimeout(timer);
    tell();
  });
  return told;
}
