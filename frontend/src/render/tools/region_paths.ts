/** Regions as what a canvas draws, made once for each geometry. Coordinates: pixels of the image. */
import { parseColor } from "../../state/color";
import { bitmapOf } from "../../state/mask_runs";
import type { Geometry, MaskGeometry, Shape } from "../../state/regions";

/** A mask with a longer side is drawn from every second, third, ... pixel. */
const LONGEST_BITMAP_PX = 2048;

const paths = new WeakMap<Geometry, Path2D>();
const bitmaps = new WeakMap<MaskGeometry, { readonly color: string; readonly canvas: HTMLCanvasElement }>();

/** The centre line of a stroke, the outline of a polygon or a box, the rectangle of a mask. */
export function pathOf(shape: Shape): Path2D {
  const known = paths.get(shape.geometry);
  if (known) return known;
  const path = makePath(shape);
  paths.set(shape.geometry, path);
  return path;
}

function makePath(shape: Shape): Path2D {
  const path = new Path2D();
  switch (shape.kind) {
    case "stroke":
      addLine(path, shape.geometry.points);
      break;
    case "polygon":
      for (const ring of shape.geometry.rings) {
        addLine(path, ring);
        path.closePath();
      }
      break;
    case "box": {
      const { x0, y0, x1, y1 } = shape.geometry;
      path.rect(x0, y0, x1 - x0, y1 - y0);
      break;
    }
    case "mask": {
      const { x, y, size } = shape.geometry;
      path.rect(x, y, size[1], size[0]);
    }
  }
  return path;
}

function addLine(path: Path2D, points: readonly (readonly [number, number])[]): void {
  points.forEach(([x, y], i) => (i === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
  const only = points[0];
  // A line of one place is a dot where its ends are round.
  if (points.length === 1 && only) path.lineTo(only[0], only[1]);
}

/** What the shape covers, in one colour; `context` draws in pixels of the image. */
export function fillShape(context: CanvasRenderingContext2D, shape: Shape, color: string): void {
  context.fillStyle = context.strokeStyle = color;
  switch (shape.kind) {
    case "stroke":
      context.lineWidth = 2 * shape.geometry.radius;
      context.lineCap = context.lineJoin = "round";
      context.stroke(pathOf(shape));
      break;
    case "polygon":
    case "box":
      context.fill(pathOf(shape), "evenodd");
      break;
    case "mask": {
      const { x, y, size } = shape.geometry;
      context.imageSmoothingEnabled = false;
      context.drawImage(bitmap(shape.geometry, color), x, y, size[1], size[0]);
    }
  }
}

function bitmap(mask: MaskGeometry, color: string): HTMLCanvasElement {
  const known = bitmaps.get(mask);
  if (known?.color === color) return known.canvas;
  const step = Math.max(1, Math.ceil(Math.max(...mask.size) / LONGEST_BITMAP_PX));
  const { width, height, pixels } = bitmapOf(mask, step);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(width, 1);
  canvas.height = Math.max(height, 1);
  const image = new ImageData(canvas.width, canvas.height);
  const [r, g, b] = parseColor(color);
  // Little-endian, as every machine with a browser is.
  const ink = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const words = new Uint32Array(image.data.buffer);
  pixels.forEach((on, i) => {
    if (on === 1) words[i] = ink;
  });
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  bitmaps.set(mask, { color, canvas });
  return canvas;
}
