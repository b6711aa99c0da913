import type { AnnotationChange } from "./annotations";
import { Signal } from "./signal";
import type { Annotation } from "./types";

interface Said {
  /** Whether the server counted the image as labelled when it counted last. */
  readonly was_labelled: boolean;
  readonly is_labelled: boolean;
}

/** Labelled images that the server has not counted yet: what was said here is in the count at once. */
export class LabelTally {
  /** To be added to the server's count; below 0 where labels were taken back. */
  readonly ahead = new Signal(0);
  readonly #said = new Map<number, Said>();

  /** `isOnItsWay`: whether the server has yet to hear something of the image. */
  constructor(private readonly isOnItsWay: (image_id: number) => boolean = () => false) {}

  note({ image_id, origin, before }: Pick<AnnotationChange, "image_id" | "origin" | "before">, now: Annotation): void {
    // Another image was opened: nothing was said.
    if (origin === "SILENT") return;
    const was_labelled = this.#said.get(image_id)?.was_labelled ?? isLabelled(before);
    const is_labelled = isLabelled(now);
    if (this.#said.get(image_id)?.is_labelled === is_labelled) return;
    if (is_labelled === was_labelled) this.#said.delete(image_id);
    else this.#said.set(image_id, { was_labelled, is_labelled });
    this.#tell();
  }

  /** What the server knows of by now, before it is asked for its count. */
  known(): ReadonlyMap<number, Said> {
    return new Map([...this.#said].filter(([image_id]) => !this.isOnItsWay(image_id)));
  }

  /** Whether the server heard of something else since `known` was asked for: nobody can tell whether its count has it. */
  hasMoreThan(known: ReadonlyMap<number, Said>): boolean {
    return [...this.known()].some(([image_id, said]) => known.get(image_id) !== said);
  }

  /** The server's count is there, with all of `known` in it. */
  counted(known: ReadonlyMap<number, Said>): void {
    for (const [image_id, said] of known) if (this.#said.get(image_id) === said) this.#said.delete(image_id);
    this.#tell();
  }

  #tell(): void {
    let ahead = 0;
    for (const { was_labelled, is_labelled } of this.#said.values()) ahead += Number(is_labelled) - Number(was_labelled);
    this.ahead.set(ahead);
  }
}

/** As the server counts: an eraser alone says nothing of any class. */
function isLabelled({ label, labels, points, regions = [] }: Annotation): boolean {
  return label !== null || labels !== null || points.length > 0 || regions.some(({ class_id }) => class_id !== null);
}
