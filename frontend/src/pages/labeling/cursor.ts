/** A cross hair whose centre has the colour of the class that a click will set. */
export function classCursor(color: string): string {
  const cross = "M16 3v8M16 21v8M3 16h8M21 16h8";
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32">` +
    `<path d="${cross}" stroke="#000" stroke-width="3.5" stroke-opacity=".55" stroke-linecap="round"/>` +
    `<path d="${cross}" stroke="#fff" stroke-width="1.5" stroke-linecap="round"/>` +
    `<circle cx="16" cy="16" r="3" fill="${color}" stroke="#fff" stroke-width="1.2"/></svg>`;
  return `url("data:image/svg+xml,${encodeURIComponent(svg)}") 16 16, crosshair`;
}
