import type { Signal } from "../../../state/signal";

/** Opens or closes the native dialog inside `host`. */
export function showDialog(host: HTMLElement, open: boolean): void {
  const dialog = host.querySelector("dialog");
  if (dialog === null || dialog.open === open) return;
  if (open) dialog.showModal();
  else dialog.close();
}

/** Opens the dialog of a signal, also in the moment in which it was closed and its `close` event is still to come. */
export function openDialog(opened: Signal<boolean>): void {
  opened.set(false);
  opened.set(true);
}

/** For `@close`. The event comes a while after the closing: by then the dialog may be open again. */
export function whenClosed(opened: Signal<boolean>): (event: Event) => void {
  return ({ target }) => {
    if (target instanceof HTMLDialogElement && !target.open) opened.set(false);
  };
}

/** A click beside the dialog closes it: the dialog itself is the target only there. */
export function closeOnBackdrop(event: MouseEvent): void {
  if (event.target instanceof HTMLDialogElement && event.target === event.currentTarget) event.target.close();
}
