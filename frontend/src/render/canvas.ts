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

/**
 * One canvas pixel each; null empties the canvas. It shows a bitmap: without a GPU a canvas that is drawn on would be
 * copied into every frame, one that shows a bitmap is handed over once.
 */
export function putPixels(canvas: HTMLCanvasElement, pixels: Pixels | null): void {
  const context = canvas.getContext("bitmaprenderer");
  if (context === null) return;
  if (pixels === null) {
    context.transferFromImageBitmap(null);
    return;
  }
  const { width, height, rgba } = pixels;
  const buffer = new OffscreenCanvas(width, height);
  buffer.getContext("2d")?.putImageData(new ImageData(rgba, width, height), 0, 0);
  context.transferFromImageBitmap(buffer.transferToImageBitmap());
}
