/** Keys that a person has chosen instead of those of the table: what they mean, what they collide with. */

import { BINDINGS, keyName, type Binding, type Command, type KeyStroke } from "./keymap";
import { Signal, type Readable } from "./signal";
import { isCursorKey } from "./stage_cursor";
import type { Task } from "./types";

/** Only of commands whose keys differ from the table; an empty list: no key at all. */
export type KeyChanges = Readonly<Partial<Record<Command, readonly string[]>>>;

/** Of the page as a whole: nobody could close a dialog otherwise, or leave it by the keyboard. */
const FIXED: ReadonlySet<Command> = new Set<Command>(["escape"]);
const MODIFIERS = new Set(["Control", "Shift", "Alt", "AltGraph", "Meta", "CapsLock", "Dead", "Process", "Unidentified"]);
const RESERVED: Readonly<Record<string, string>> = {
  Escape: "Esc closes what is open",
  Tab: "Tab goes from control to control",
  " ": "Space moves the image",
};
/** What browsers do not hand over, or what people count on. */
const OF_THE_BROWSER = new Set(["Ctrl+t", "Ctrl+n", "Ctrl+w", "Ctrl+r", "Ctrl+l", "Ctrl+c", "Ctrl+v", "Ctrl+x", "Ctrl+f", "Ctrl+p", "Ctrl+Shift+t", "Ctrl+Shift+n", "Ctrl+Shift+w"]);

export function isFixed(command: Command): boolean {
  return FIXED.has(command);
}

/**
 * The table with the changes; of commands that only other programs of this kind know, nothing. A key that a person has
 * given away stays there, also where a newer table gives it to a command of its own: that one goes without.
 */
export function bindingsWith(changes: KeyChanges, table: readonly Binding[] = BINDINGS): readonly Binding[] {
  const first = table.filter(({ command }) => isFixed(command));
  const chosen = table.filter(({ command }) => !isFixed(command) && changes[command] !== undefined);
  const found = new Map<Command, Binding>();
  for (const binding of [...first, ...chosen, ...table]) {
    if (found.has(binding.command)) continue;
    const wanted = isFixed(binding.command) ? binding.keys : (changes[binding.command] ?? binding.keys);
    const keys = wanted.filter((key) => ![...found.values()].some((other) => meet(binding.task, other.task) && other.keys.includes(key)));
    found.set(binding.command, { ...binding, keys });
  }
  return table.map((binding) => found.get(binding.command) ?? binding);
}

/** A stroke in the words of the table; null for a modifier alone. */
export function keyOf({ key, code, ctrl, shift, alt }: KeyStroke): string | null {
  if (MODIFIERS.has(key) || key === "" || alt) return null;
  const digit = /^Digit\d$/.test(code);
  const is_letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  // Signs need Shift on some keyboards and not on others: the sign itself is the key. Shifted digits differ by country: the place.
  const is_sign = key.length === 1 && !is_letter && !(digit && (shift || ctrl));
  const name = digit && shift ? `@${code}` : is_letter ? key.toLowerCase() : key;
  return [...(ctrl ? ["Ctrl"] : []), ...(shift && !is_sign ? ["Shift"] : []), name].join("+");
}

export type Clash =
  /** Why the key cannot be had at all. */
  | { readonly kind: "refused"; readonly why: string }
  /** These commands would lose it. */
  | { readonly kind: "taken"; readonly by: readonly Binding[] };

/** What stands in the way of giving `key` to `command`; null if nothing does. */
export function clashOf(bindings: readonly Binding[], command: Command, key: string): Clash | null {
  const reserved = RESERVED[key];
  if (reserved !== undefined) return { kind: "refused", why: reserved };
  if (/^[1-9]$/.test(key)) return { kind: "refused", why: `${key} chooses class ${key}` };
  if (OF_THE_BROWSER.has(key)) return { kind: "refused", why: `${keyName(key)} belongs to the browser` };
  const own = bindings.find((binding) => binding.command === command);
  const by = bindings.filter((other) => other.command !== command && meet(own?.task, other.task) && other.keys.includes(key));
  return by.length === 0 ? null : { kind: "taken", by };
}

/** `key` becomes the only key of `command`; whoever had it loses it. */
export function assigned(changes: KeyChanges, command: Command, key: string, table: readonly Binding[] = BINDINGS): KeyChanges {
  return given(changes, command, [key], table);
}

/** `command` has the keys of the table again; whoever has taken one of them loses it. */
export function resetOf(changes: KeyChanges, command: Command, table: readonly Binding[] = BINDINGS): KeyChanges {
  return given(changes, command, table.find((binding) => binding.command === command)?.keys ?? [], table);
}

/** What a file or an older page says, without what makes no sense. */
export function validChanges(found: unknown, table: readonly Binding[] = BINDINGS): KeyChanges {
  if (typeof found !== "object" || found === null) return {};
  const known = new Set<string>(table.map(({ command }) => command));
  const isKeys = (keys: unknown): keys is string[] => Array.isArray(keys) && keys.every((key) => typeof key === "string" && key !== "");
  const entries = Object.entries(found).filter(([command, keys]) => known.has(command) && isKeys(keys));
  return Object.fromEntries(entries);
}

function given(changes: KeyChanges, command: Command, keys: readonly string[], table: readonly Binding[]): KeyChanges {
  const bindings = bindingsWith(changes, table);
  const own = table.find((binding) => binding.command === command);
  const next: Partial<Record<Command, readonly string[]>> = { ...changes, [command]: keys };
  for (const other of bindings) {
    if (other.command === command || !meet(own?.task, other.task)) continue;
    const left = other.keys.filter((key) => !keys.includes(key));
    if (left.length < other.keys.length) next[other.command] = left;
  }
  return withoutDefaults(next, table);
}

function withoutDefaults(changes: KeyChanges, table: readonly Binding[]): KeyChanges {
  const defaults = new Map(table.map((binding) => [binding.command, binding.keys.join(" ")]));
  const entries = Object.entries(changes) as [Command, readonly string[]][];
  return Object.fromEntries(entries.filter(([command, keys]) => defaults.get(command) !== keys.join(" ")));
}

/** Whether there is a session in which both hold. */
function meet(a: Task | undefined, b: Task | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}

/** Where the changes are kept. */
interface ChangesStore extends Readable<{ readonly keys: KeyChanges }> {
  change(changes: { readonly keys: KeyChanges }): void;
}

/** The keys in force on this page, and the words for them in tooltips. */
export class Keys {
  readonly bindings: Signal<readonly Binding[]>;
  readonly #store: ChangesStore;
  #seen: KeyChanges;
  #has_cursor = false;

  constructor(
    store: ChangesStore,
    private readonly task: Task,
  ) {
    this.#store = store;
    this.#seen = store.value.keys;
    this.bindings = new Signal(bindingsWith(this.#seen));
    store.subscribe(({ keys }) => {
      if (keys === this.#seen) return;
      this.#seen = keys;
      this.bindings.set(bindingsWith(keys));
    });
  }

  get changes(): KeyChanges {
    return this.#seen;
  }

  /** Those that mean something in this session. */
  get here(): readonly Binding[] {
    return this.bindings.value.filter((binding) => binding.task === undefined || binding.task === this.task);
  }

  keysOf(command: Command): readonly string[] {
    return this.bindings.value.find((binding) => binding.command === command)?.keys ?? [];
  }

  /** Without those that are the cursor's while the keyboard has one on the image. */
  keysNow(command: Command): readonly string[] {
    const keys = this.keysOf(command);
    return this.#has_cursor ? keys.filter((key) => !isCursorKey(key, this.task)) : keys;
  }

  /** The keyboard has a cursor on the image, or none any more: other keys are in force. */
  setCursor(is_on: boolean): void {
    if (is_on === this.#has_cursor) return;
    this.#has_cursor = is_on;
    this.bindings.set([...this.bindings.value]);
  }

  /** "F or →"; empty where the command has no key. */
  names(command: Command): string {
    return this.keysNow(command).map(keyName).join(" or ");
  }

  /** "Next (F or →)" */
  tip(text: string, command: Command): string {
    const names = this.names(command);
    return names === "" ? text : `${text} (${names})`;
  }

  assign(command: Command, key: string): void {
    this.#store.change({ keys: assigned(this.#seen, command, key) });
  }

  reset(command: Command): void {
    this.#store.change({ keys: resetOf(this.#seen, command) });
  }

  resetAll(): void {
    this.#store.change({ keys: {} });
  }
}
