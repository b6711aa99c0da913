import type { App } from "../../../app";
import {
  MOST_SELECTED, moved, NOTHING_SELECTED, only, placeAfter, rangeTo, toggled, withRange, type ClickMode, type Move, type Selection,
} from "../../../state/selection"; // prettier-ignore
import { counted, grouped } from "../../../state/words";
import type { Grid } from "./gallery_layout";

interface Host {
  app(): App;
  get(): Selection;
  set(selection: Selection): void;
  grid(): Grid;
  bringIntoSight(place: number): void;
  /** Labels of whole images can be given to many; points cannot. */
  selects(): boolean;
}

/** What clicks, keys and the rubber band do to the selection of the gallery. */
export class GallerySelecting {
  constructor(private readonly host: Host) {}

  async select(id: number, place: number, mode: ClickMode, added = false): Promise<void> {
    const { host } = this;
    if (mode === "only") host.set(only(host.get(), id, place));
    else if (mode === "toggle") host.set(toggled(host.get(), id, place));
    else {
      const [first, last] = rangeTo(host.get(), place);
      const end = Math.min(last, first + MOST_SELECTED - 1);
      if (end < last) this.#tellMost(last - first + 1);
      const ids = await host.app().gallery.idsIn(first, end);
      host.set(withRange(host.get(), ids, place, added));
    }
  }

  places(places: readonly number[], before: Selection): void {
    const { gallery } = this.host.app();
    const ids = places.map((place) => gallery.idAt(place)).filter((id) => id !== null);
    this.host.set({ ...withRange(before, ids, before.place ?? 0, true), anchor: places[0] ?? before.anchor });
  }

  async all(): Promise<void> {
    const { gallery } = this.host.app();
    const total = gallery.state.value.total ?? 0;
    if (total > MOST_SELECTED) this.#tellMost(total);
    const ids = await gallery.idsIn(0, Math.min(total, MOST_SELECTED) - 1);
    const selection = this.host.get();
    this.host.set(withRange(selection, ids, selection.place ?? 0, false));
  }

  /** Selects the tile that the keyboard is at, or all up to it. */
  focused(as_range: boolean): void {
    const place = this.host.get().place ?? 0;
    const id = this.host.app().gallery.idAt(place);
    if (id !== null) void this.select(id, place, as_range ? "range" : "toggle", true);
  }

  /** Arrows move; with Shift they select on the way; alone they leave the selection as it is. */
  move(move: Move, { with_shift, with_ctrl }: { readonly with_shift: boolean; readonly with_ctrl: boolean }): void {
    const { host } = this;
    const { columns, rows } = host.grid();
    const place = placeAfter(host.get().place, move, columns, rows - 1, host.app().gallery.state.value.total ?? 0);
    const extends_it = with_shift && host.selects();
    host.set(moved(host.get(), place, extends_it));
    if (extends_it) void this.select(0, place, "range", with_ctrl);
    host.bringIntoSight(place);
  }

  /** False: there was nothing to take back. */
  escape(): boolean {
    const { ids, place } = this.host.get();
    if (ids.size === 0) return false;
    this.host.set({ ...NOTHING_SELECTED, place });
    return true;
  }

  #tellMost(wanted: number): void {
    this.host.app().toasts.show("info", `${grouped(MOST_SELECTED)} of ${counted(wanted, "image")} are selected: one change takes no more.`);
  }
}
