import { Signal } from "./signal";

export type ToastKind = "info" | "success" | "warning" | "error";

export interface Toast {
  readonly id: number;
  readonly kind: ToastKind;
  readonly text: string;
  /** What went wrong, whole: for the curious and for reports. */
  readonly detail?: string;
  readonly action?: { readonly text: string; readonly run: () => void };
}

const MOST = 4;

export class ToastStore extends Signal<readonly Toast[]> {
  #next = 1;

  constructor() {
    super([]);
  }

  show(kind: ToastKind, text: string, more: Pick<Toast, "detail" | "action"> = {}): void {
    // The same words again replace the first: a failing poll must not fill the screen.
    const others = this.value.filter((toast) => toast.text !== text);
    this.set([...others, { id: this.#next++, kind, text, ...more }].slice(-MOST));
  }

  dismiss(id: number): void {
    this.set(this.value.filter((toast) => toast.id !== id));
  }
}
