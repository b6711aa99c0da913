/** Cursors that tell what a press does. */
import type { Correction } from "../../state/tools";

/** The brush's circle is painted around it. */
export const DOT_CURSOR = cursor(
  `<circle cx="16" cy="16" r="2.4" fill="#fff" stroke="#000" stroke-opacity=".6" stroke-width="1.2"/>`,
  [16, 16],
);

export const ERASER_CURSOR = cursor(
  `<path d="M12.5 12.5l7 7M19.5 12.5l-7 7" stroke="#000" stroke-opacity=".6" stroke-width="3.6" stroke-linecap="round"/>` +
    `<path d="M12.5 12.5l7 7M19.5 12.5l-7 7" stroke="#fff" stroke-width="1.6" stroke-linecap="round"/>`,
  [16, 16],
);

const SIGNS: Readonly<Record<Correction, string>> = {
  accept: "M17 22l3 3 6-7",
  erase: "M18 19l6 6M24 19l-6 6",
  fill: "M17 25h8M21 17l4 4-4 3-4-3z",
};

const ARROW = "M4 3l13 5.2-5.6 1.9L9.4 16z";

/** An arrow with a tick, a cross or a drop. */
export function correctionCursor(correction: Correction, color: string): string {
  return cursor(
    `<path d="${ARROW}" fill="#fff" stroke="#000" stroke-opacity=".75" stroke-width="1.5" stroke-linejoin="round"/>` +
      `<circle cx="21.4" cy="21.4" r="8.4" fill="${color}" stroke="#fff" stroke-width="1.6"/>` +
      `<path d="${SIGNS[correction]}" fill="none" stroke="#000" stroke-opacity=".45" stroke-width="3.6" stroke-linecap="round" stroke-linejoin="round"/>` +
      `<path d="${SIGNS[correction]}" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`,
    [4, 3],
  );
}

function cursor(content: string, [x, y]: readonly [number, number]): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32">${content}</svg>`;
  return `url("data:image/svg+xml,${encodeURIComponent(svg)}") ${x} ${y}, crosshair`;
}
