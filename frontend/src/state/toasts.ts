import type { Diagnostics } from "./report";
import { Signal } from "./signal";
import { sentence } from "./words";

export type ToastKind = "info" | "success" | "warning" | "error";

export interface ToastAction {
  readonly text: string;
  readonly run: () => void;
}

export interface Toast {
  readonly id: number;
  readonly kind: ToastKind;
  readonly text: string;
  /** What went wrong, whole: for the curious and for reports. */
  readonly detail?: string;
  readonly action?: ToastAction;
  /** Other ways out, beside `action`. */
  readonly more_actions?: readonly ToastAction[];
  /** Stays until a person has answered: work of theirs hangs on it. */
  readonly keep?: boolean;
  /** Goes once the person does something else: it tells of a step that led nowhere. */
  readonly passing?: boolean;
}

const MOST = 4;

export class ToastStore extends Signal<readonly Toast[]> {
  #next = 1;

  constructor() {
    super([]);
  }

  show(kind: ToastKind, words: string, more: Pick<Toast, "detail" | "action" | "more_actions" | "keep" | "passing"> = {}): number {
    // What a server says of an error is the middle of a sentence.
    const text = kind === "error" ? sentence(words) : words;
    // The same words again replace the first: a failing poll must not fill the screen.
    const id = this.#next++;
    const all = [...this.value.filter((toast) => toast.keep === true || toast.text !== text), { id, kind, text, ...more }];
    const passing = all.filter(({ keep }) => keep !== true);
    const too_many = new Set(passing.slice(0, Math.min(all.length - MOST, passing.length - 1)).map(({ id }) => id));
    this.set(all.length > MOST ? all.filter((toast) => !too_many.has(toast.id)) : all);
    return id;
  }

  /** The person does something else. */
  moveOn(): void {
    if (this.value.some(({ passing }) => passing === true)) this.set(this.value.filter(({ passing }) => passing !== true));
  }

  dismiss(id: number): void {
    this.set(this.value.filter((toast) => toast.id !== id));
  }
}

/** Every message of something that went wrong is kept for a report. */
export function noteErrors(diagnostics: Diagnostics, toasts: ToastStore): void {
  let newest = 0;
  toasts.subscribe((all) => {
    for (const { id, kind, text, detail } of all) {
      if (id <= newest) continue;
      newest = id;
      if (kind === "error") diagnostics.error(detail === undefined ? text : `${text} ${detail}`);
    }
  });
}
