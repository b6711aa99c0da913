/** Where the tiles of the gallery lie, and which of them are in the document. CSS pixels. */

const TILE_WIDTH_PX = 176;
/** On phones: two in a row. */
const SMALL_TILE_WIDTH_PX = 132;
const SMALL_SCROLLER_PX = 520;
export const TILE_HEIGHT_PX = 184;
export const GAP_PX = 12;
export const PADDING_PX = 20;
export const ROW_PX = TILE_HEIGHT_PX + GAP_PX;
/** Rows kept ready above and below those in sight. */
const SPARE_ROWS = 2;

export interface Grid {
  readonly columns: number;
  /** That may be in sight at once. */
  readonly rows: number;
  /** Whole pixels, so that text is sharp in every column. */
  readonly tile_width: number;
}

/** For a scroller of that size, its padding included. */
export function gridFor(width: number, height: number): Grid {
  const least = width <= SMALL_SCROLLER_PX ? SMALL_TILE_WIDTH_PX : TILE_WIDTH_PX;
  const inner = Math.max(least, width - 2 * PADDING_PX);
  const columns = Math.max(1, Math.floor((inner + GAP_PX) / (least + GAP_PX)));
  return { columns, rows: Math.ceil(height / ROW_PX) + 1, tile_width: Math.floor((inner - (columns - 1) * GAP_PX) / columns) };
}

export function sameGrid(a: Grid, b: Grid): boolean {
  return a.columns === b.columns && a.rows === b.rows && a.tile_width === b.tile_width;
}

export function lengthOf(total: number, { columns }: Grid): number {
  return Math.ceil(total / columns) * ROW_PX - GAP_PX;
}

/** The first and the last place whose tiles are in the document; the last one before the first: there are none. */
export function placesAt(first_row: number, { columns, rows }: Grid, total: number): readonly [number, number] {
  const first = Math.max(0, first_row - SPARE_ROWS) * columns;
  return [first, Math.min((first_row + rows + SPARE_ROWS) * columns, total) - 1];
}

/**
 * Which place each slot shows, null for none. Slots are the tiles in the document, in their order there: a place is
 * always shown by the same one, so that scrolling changes those that come into sight, and moves or makes no others.
 */
export function placesOfSlots([first, last]: readonly [number, number], { columns, rows }: Grid): readonly (number | null)[] {
  const count = (rows + 2 * SPARE_ROWS) * columns;
  return Array.from({ length: count }, (_, slot) => {
    const place = first + ((((slot - first) % count) + count) % count);
    return place <= last ? place : null;
  });
}

export function leftTop(place: number, { columns, tile_width }: Grid): readonly [number, number] {
  return [(place % columns) * (tile_width + GAP_PX), Math.floor(place / columns) * ROW_PX];
}

/** Where to scroll so that a place is in sight; null: it is. */
export function scrollTo(place: number, { columns }: Grid, scroll_top: number, height: number): number | null {
  const top = PADDING_PX + Math.floor(place / columns) * ROW_PX;
  const bottom = top + TILE_HEIGHT_PX + GAP_PX;
  if (top < scroll_top) return top - GAP_PX;
  return bottom > scroll_top + height ? bottom - height : null;
}
