import { placeKey } from "./rebase";
import type { Point } from "./types";

/** Which points are the same to a person, though they were moved or got another class: as long as an image is open. */
export class PointLineage {
  /** By place and class: a number that all which a point was and became have in common. */
  readonly #lines = new Map<string, number>();
  #last = 0;

  clear(): void {
    this.#lines.clear();
  }

  /** `after` is what a person made of `before`, point by point in the same order. */
  note(before: readonly Point[], after: readonly Point[]): void {
    const lines = before.map((point) => this.#lines.get(placeKey(point)));
    before.forEach((point, i) => {
      const now = after[i];
      if (now === undefined || now === point) return;
      const line = lines[i] ?? (this.#last += 1);
      this.#lines.set(placeKey(point), line);
      this.#lines.set(placeKey(now), line);
    });
  }

  /** Where the points at `places` of `before` are in `after`, whatever its order; those that are gone are left out. */
  follow(places: readonly number[], before: readonly Point[], after: readonly Point[]): number[] {
    if (before === after) return [...places];
    const found = new Map<number, number>();
    const taken = new Set<number>();
    // Ids of points that are gone come again for others: alone they say nothing.
    const lineOf = (point: Point): number | null => this.#lines.get(placeKey(point)) ?? null;
    for (const nameOf of [itself, placeKey, lineOf, idAndPlace, idAndClass]) {
      const there = new Map(after.map((point, i): [unknown, number] => [nameOf(point), i]));
      for (const place of places) {
        const name = before[place] && nameOf(before[place]);
        const now = found.has(place) || name === null || name === undefined ? undefined : there.get(name);
        if (now === undefined || taken.has(now)) continue;
        found.set(place, now);
        taken.add(now);
      }
    }
    return places.flatMap((place) => found.get(place) ?? []);
  }
}

function itself(point: Point): Point {
  return point;
}

function idAndPlace({ id, x, y }: Point): string | null {
  return id === null ? null : `${id},${x},${y}`;
}

function idAndClass({ id, class_id }: Point): string | null {
  return id === null ? null : `${id},${class_id}`;
}
