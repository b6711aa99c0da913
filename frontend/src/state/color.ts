/** Colours as numbers: [red, green, blue], 0..255. */
export type Rgb = readonly [r: number, g: number, b: number];

/** Of #RRGGBB or #RGB; mid grey for anything else, so that a bad colour never hides a class. */
export function parseColor(color: string): Rgb {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(color);
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  const parts = long ?? short;
  if (!parts) return [128, 128, 128];
  const [r, g, b] = parts.slice(1).map((part) => parseInt(part.length === 1 ? part + part : part, 16));
  return [r ?? 128, g ?? 128, b ?? 128];
}

/** Black or white, whichever reads better on the colour (WCAG relative luminance). */
export function textOn(color: string): "#000000" | "#ffffff" {
  return isBright(parseColor(color)) ? "#000000" : "#ffffff";
}

/** Whether black stands out from it better than white. */
export function isBright(color: Rgb): boolean {
  const [r, g, b] = color.map((channel) => {
    const s = channel / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05);
}
