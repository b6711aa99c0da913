/** Which tiles of a grid are selected, and where the keyboard is. Places count from 0 in the order shown. */

export interface Selection {
  readonly ids: ReadonlySet<number>;
  /** Where the keyboard is; null before it came. */
  readonly place: number | null;
  /** Where a range begins. */
  readonly anchor: number;
}

export const NOTHING_SELECTED: Selection = { ids: new Set(), place: null, anchor: 0 };
/** As many as one change of the server takes. */
export const MOST_SELECTED = 5_000;

/** What a click does: alone, with Ctrl or Cmd, with Shift. */
export type ClickMode = "only" | "toggle" | "range";

export function clickMode(event: { readonly shiftKey: boolean; readonly ctrlKey: boolean; readonly metaKey: boolean }): ClickMode {
  if (event.shiftKey) return "range";
  return event.ctrlKey || event.metaKey ? "toggle" : "only";
}

/** This one alone; again, nothing. */
export function only(selection: Selection, id: number, place: number): Selection {
  const was_alone = selection.ids.size === 1 && selection.ids.has(id);
  return { ids: was_alone ? new Set() : new Set([id]), place, anchor: place };
}

export function toggled(selection: Selection, id: number, place: number): Selection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids: capped(ids), place, anchor: place };
}

/** The places of a range that ends here, first to last; the ids there are `withRange`'s. */
export function rangeTo(selection: Selection, place: number): readonly [number, number] {
  return [Math.min(selection.anchor, place), Math.max(selection.anchor, place)];
}

/** `added`: to what is selected already, else in its place. */
export function withRange(selection: Selection, ids: readonly number[], place: number, added: boolean): Selection {
  return { ids: capped(new Set(added ? [...selection.ids, ...ids] : ids)), place, anchor: selection.anchor };
}

/** The keyboard, and where a range begins, stay where they are. */
export function without(selection: Selection, gone: ReadonlySet<number>): Selection {
  return { ...selection, ids: new Set([...selection.ids].filter((id) => !gone.has(id))) };
}

export function moved(selection: Selection, place: number, keeps_anchor: boolean): Selection {
  return { ...selection, place, anchor: keeps_anchor ? selection.anchor : place };
}

export type Move = "left" | "right" | "up" | "down" | "home" | "end" | "page-up" | "page-down";

const MOVES: Readonly<Record<string, Move>> = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Home: "home", End: "end", PageUp: "page-up", PageDown: "page-down",
}; // prettier-ignore

export function moveOf(key: string): Move | null {
  return MOVES[key] ?? null;
}

/** Where a key leads from a place in a grid of `total` tiles; the first key leads to the first tile. */
export function placeAfter(place: number | null, move: Move, columns: number, rows: number, total: number): number {
  if (total === 0) return 0;
  if (place === null) return move === "end" ? total - 1 : 0;
  const steps: Record<Move, number> = {
    left: -1, right: 1, up: -columns, down: columns, home: -place, end: total - 1 - place,
    "page-up": -columns * Math.max(1, rows - 1), "page-down": columns * Math.max(1, rows - 1),
  }; // prettier-ignore
  const wanted = place + steps[move];
  // Up from the first row, and down from the last one, stays where it is.
  if (wanted < 0) return move === "page-up" ? place % columns : place;
  if (wanted < total) return wanted;
  if (move === "page-down" || move === "down") return Math.floor(place / columns) < Math.floor((total - 1) / columns) ? total - 1 : place;
  return place;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface GridShape {
  readonly columns: number;
  readonly total: number;
  /** From one tile to the next, and the part of it that is the gap. */
  readonly step_x: number;
  readonly step_y: number;
  readonly gap: number;
}

/** The places that a rubber band touches; both in pixels of the whole grid. At most as many as can be selected. */
export function placesIn(box: Box, grid: GridShape): number[] {
  const from_column = Math.max(0, Math.floor((box.left + grid.gap) / grid.step_x));
  const to_column = Math.min(grid.columns - 1, Math.floor(box.right / grid.step_x));
  const from_row = Math.max(0, Math.floor((box.top + grid.gap) / grid.step_y));
  const to_row = Math.min(Math.ceil(grid.total / grid.columns) - 1, Math.floor(box.bottom / grid.step_y));
  const places: number[] = [];
  for (let row = from_row; row <= to_row; row += 1) {
    for (let column = from_column; column <= to_column; column += 1) {
      const place = row * grid.columns + column;
      if (place < grid.total && places.length < MOST_SELECTED) places.push(place);
    }
  }
  return places;
}

function capped(ids: ReadonlySet<number>): ReadonlySet<number> {
  return ids.size <= MOST_SELECTED ? ids : new Set([...ids].slice(0, MOST_SELECTED));
}
