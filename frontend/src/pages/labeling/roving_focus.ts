const GROUPS = "[role=toolbar], [role=radiogroup]";
const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/**
 * One Tab reaches a toolbar or a group of choices, the next leaves it; arrows, Home and End go from one control to the
 * other. Going there chooses nothing: Enter and Space do.
 */
export function roveFocusIn(root: HTMLElement): void {
  root.addEventListener("focusin", ({ target }) => {
    const group = groupOf(target);
    if (group === null) return;
    for (const item of itemsOf(group)) item.tabIndex = item === target ? 0 : -1;
  });
  root.addEventListener("keydown", (event) => {
    const group = groupOf(event.target);
    if (group === null || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const items = itemsOf(group);
    const to = placeAfter(event.key, items.indexOf(event.target as HTMLElement), items.length);
    if (to === null) return;
    event.preventDefault();
    items[to]?.focus();
  });
}

/** Where a key leads from place `at` of `count`; null if it leads nowhere. Beyond the ends it begins anew. */
export function placeAfter(key: string, at: number, count: number): number | null {
  if (at < 0 || count === 0) return null;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = STEPS[key];
  return step === undefined ? null : (at + step + count) % count;
}

/** Only of buttons: in fields the arrows belong to the text. */
function groupOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof HTMLButtonElement ? target.closest<HTMLElement>(GROUPS) : null;
}

/** The controls that can have the focus, without those of a group inside the group. */
function itemsOf(group: HTMLElement): HTMLElement[] {
  const all = [...group.querySelectorAll<HTMLButtonElement>("button")];
  return all.filter((button) => !button.disabled && button.closest(GROUPS) === group && button.checkVisibility());
}
