import type { Size } from "../state/viewport";

export interface Pixels extends Size {
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** The bitmap, halved `level` times; null leaves a canvas of that size empty. */
export function drawReduced(canvas: HTMLCanvasElement, size: Size, bitmap: ImageBitmap | null, level: number): void {
  canvas.width = Math.max(1, Math.round(size.width / 2 ** level));
  canvas.height = Math.max(1, Math.round(size.height / 2 ** level));
  const context = canvas.getContext("2d");
  if (context === null || bitmap === null) return;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
}

/** One canvas pixel each; null empties the canvas. */
export function putPixels(canvas: HTMLCanvasElement, pixels: Pixels | null): void {
  const { width, height } = pixels ?? { width: 1, height: 1 };
  // Setting a size empties a canvas, and costs even if it is the same.
  if (pixels === null || canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  if (pixels) canvas.getContext("2d")?.putImageData(new ImageData(pixels.rgba, width, height), 0, 0);
}
