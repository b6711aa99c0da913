/** Images visited, in order, with a place in that order: previous and next walk it as a browser walks its pages. */
export class VisitHistory {
  readonly #ids: number[] = [];
  #position = -1;

  get ids(): readonly number[] {
    return this.#ids;
  }

  get current(): number | null {
    return this.#ids[this.#position] ?? null;
  }

  get canGoBack(): boolean {
    return this.#position > 0;
  }

  get canGoForward(): boolean {
    return this.#position < this.#ids.length - 1;
  }

  /** The one that `back` would go to. */
  get behind(): number | null {
    return this.#ids[this.#position - 1] ?? null;
  }

  /** An image that comes before the first one: the others lie ahead of it. */
  precede(image_id: number): void {
    this.#ids.unshift(image_id);
    this.#position = 0;
  }

  /** An image opened otherwise than by `back` or `forward`: what lay ahead is forgotten. */
  visit(image_id: number): void {
    if (image_id === this.current) return;
    this.#ids.splice(this.#position + 1);
    this.#ids.push(image_id);
    this.#position = this.#ids.length - 1;
  }

  /** What was visited before this image, and after it, is forgotten. */
  startAnew(): void {
    const { current } = this;
    this.#ids.splice(0, this.#ids.length, ...(current === null ? [] : [current]));
    this.#position = this.#ids.length - 1;
  }

  back(): number | null {
    if (!this.canGoBack) return null;
    this.#position -= 1;
    return this.current;
  }

  forward(): number | null {
    if (!this.canGoForward) return null;
    this.#position += 1;
    return this.current;
  }
}
