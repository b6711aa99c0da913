/** Opens or closes the native dialog inside `host`. */
export function showDialog(host: HTMLElement, open: boolean): void {
  const dialog = host.querySelector("dialog");
  if (dialog === null || dialog.open === open) return;
  if (open) dialog.showModal();
  else dialog.close();
}

/** A click beside the dialog closes it: the dialog itself is the target only there. */
export function closeOnBackdrop(event: MouseEvent): void {
  if (event.target instanceof HTMLDialogElement && event.target === event.currentTarget) event.target.close();
}
