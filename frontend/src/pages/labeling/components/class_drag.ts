import type { DropPart } from "../../../state/class_tree";

export interface ClassDrop {
  readonly class_id: number;
  readonly on_id: number;
  readonly part: DropPart;
}

interface DragHandlers {
  /** The drop that letting go now would be, or null. */
  moved(class_id: number, drop: ClassDrop | null): void;
  /** null: given up. */
  ended(drop: ClassDrop | null): void;
}

/** Rows scroll while the pointer is so near to the edge of the list. */
const EDGE_PX = 28;
const SCROLL_PX = 12;

/** A row follows the pointer by its handle: mouse, pen and finger alike. */
export class ClassDrag {
  #class_id: number | null = null;
  #drop: ClassDrop | null = null;

  constructor(private readonly handlers: DragHandlers) {}

  start(class_id: number, event: PointerEvent): void {
    if (event.button !== 0 || !(event.currentTarget instanceof HTMLElement)) return;
    event.preventDefault();
    this.#class_id = class_id;
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    const stop = new AbortController();
    const { signal } = stop;
    const end = (drop: ClassDrop | null): void => {
      stop.abort();
      this.#class_id = this.#drop = null;
      this.handlers.ended(drop);
    };
    handle.addEventListener("pointermove", (move) => this.#move(handle, move), { signal });
    handle.addEventListener("pointerup", () => end(this.#drop), { signal });
    handle.addEventListener("pointercancel", () => end(null), { signal });
    // Before the dialog, which Escape would close.
    addEventListener("keydown", (key) => {
      if (key.key !== "Escape") return;
      key.preventDefault();
      key.stopPropagation();
      end(null);
    }, { signal, capture: true });
    this.handlers.moved(class_id, null);
  }

  #move(handle: HTMLElement, { clientX, clientY }: PointerEvent): void {
    if (this.#class_id === null) return;
    const list = handle.closest<HTMLElement>(".class-tree");
    if (list !== null) scrollAtEdge(list, clientY);
    const row = document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>("[data-class-row]") ?? null;
    const on_id = Number(row?.dataset.classRow);
    this.#drop = row === null || on_id === this.#class_id ? null : { class_id: this.#class_id, on_id, part: partOf(row, clientY) };
    this.handlers.moved(this.#class_id, this.#drop);
  }
}

function partOf(row: HTMLElement, y: number): DropPart {
  const { top, bottom } = row.getBoundingClientRect();
  const share = (y - top) / (bottom - top);
  return share < 0.3 ? "before" : share > 0.7 ? "after" : "inside";
}

function scrollAtEdge(list: HTMLElement, y: number): void {
  const { top, bottom } = list.getBoundingClientRect();
  if (y < top + EDGE_PX) list.scrollBy(0, -SCROLL_PX);
  else if (y > bottom - EDGE_PX) list.scrollBy(0, SCROLL_PX);
}
