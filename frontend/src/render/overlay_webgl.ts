import { parseColor, type Rgb } from "../state/color";
import { scaleBetween } from "../state/geometry";
import type { ClassMap } from "../state/prediction";
import { EDGE_ALPHA, heatMapOf, INSIDE_ALPHA, paletteOrder, veilAlpha, type OverlayInput } from "./colormap";
import { coverVisible, type Frame } from "./frame";
import { packLogits } from "./half_floats";
import { FRAGMENT_SHADER, MOST_CLASSES, STYLE_NUMBERS, VERTEX_SHADER } from "./overlay_shaders";
import type { OverlayPainter } from "./overlay_painter";
import { heatColor, RAMP_STEPS, rampBytes, uncertaintyColor } from "./ramps";

/** Drivers that compute on the processor: there the plain painter is several times faster. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const MAPS_UNIT = 0;
const RAMP_UNIT = 1;

/**
 * The overlay on the GPU: the maps go up once, as logits; style, opacity and zoom are a matter of drawing one triangle
 * over what is in sight.
 */
export class WebglOverlay implements OverlayPainter {
  readonly kind = "webgl";
  readonly canvas = document.createElement("canvas");
  readonly #gl: WebGL2RenderingContext;
  readonly #places = new Map<string, WebGLUniformLocation | null>();
  #program: WebGLProgram | null = null;
  #ramps: Record<"heat" | "uncertainty", WebGLTexture | null> = { heat: null, uncertainty: null };
  #maps: WebGLTexture | null = null;
  #uploaded: readonly ClassMap[] | null = null;
  #most_pixels = 2_048;

  /** null where the browser has no WebGL2, or, unless it is `wanted` all the same, none that is quick. */
  static create(wanted: boolean, lost: () => void, restored: () => void): WebglOverlay | null {
    const probe = document.createElement("canvas").getContext("webgl2");
    if (probe === null || (!wanted && isSoftware(probe))) {
      probe?.getExtension("WEBGL_lose_context")?.loseContext();
      return null;
    }
    const overlay = new WebglOverlay(lost, restored);
    probe.getExtension("WEBGL_lose_context")?.loseContext();
    return overlay.#setUp() ? overlay : null;
  }

  private constructor(lost: () => void, restored: () => void) {
    // Kept after drawing, so that whoever looks at the canvas later sees what is on screen.
    const gl = this.canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true });
    if (gl === null) throw new Error("WebGL2 was there a moment ago");
    this.#gl = gl;
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      lost();
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      if (this.#setUp()) restored();
    });
  }

  get is_lost(): boolean {
    return this.#gl.isContextLost() || this.#program === null;
  }

  /** Whether the GPU holds maps of that size, and that many classes. */
  fits(input: OverlayInput): boolean {
    const { width, height } = input.maps[0]?.map ?? { width: 1, height: 1 };
    return Math.max(width, height) <= this.#most_pixels && input.colors.length <= MOST_CLASSES;
  }

  paint(input: OverlayInput | null, frame: Frame): void {
    const gl = this.#gl;
    const window = coverVisible(this.canvas, frame);
    if (window === null) return;
    gl.viewport(0, 0, window.width, window.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (input?.maps[0] === undefined) return;
    this.#upload(input.maps);
    const { image, view } = frame;
    const { left, top, right, bottom } = window.part;
    const [across, down] = scaleBetween(image, { width: 1, height: 1 });
    gl.uniform4f(this.#at("part"), left * across, top * down, (right - left) * across, (bottom - top) * down);
    gl.uniform2f(this.#at("pixel"), across / view.scale, down / view.scale);
    this.#setStyle(input);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  dispose(): void {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  #setStyle(input: OverlayInput): void {
    const gl = this.#gl;
    const heat = heatMapOf(input);
    const is_veil = input.only_class_id !== null;
    const colors = new Map(input.colors.map(({ id, color }) => [id, parseColor(color)]));
    const palette = paletteOrder(input).slice(0, MOST_CLASSES).flatMap((id) => (colors.get(id) ?? [128, 128, 128]).map((part) => part / 255));
    gl.uniform3fv(this.#at("palette"), palette);
    gl.uniform1i(this.#at("planes"), Math.min(input.maps.length, MOST_CLASSES));
    gl.uniform1i(this.#at("is_binary"), input.colors.length === 2 ? 1 : 0);
    gl.uniform1i(this.#at("style"), STYLE_NUMBERS[is_veil ? "veil" : input.style]);
    gl.uniform1i(this.#at("heat_plane"), heat?.plane ?? 0);
    gl.uniform1i(this.#at("heat_flipped"), heat?.is_foreground === false ? 1 : 0);
    gl.uniform1f(this.#at("chance"), 1 / Math.max(input.colors.length, 2));
    gl.uniform1f(this.#at("inside"), (is_veil ? veilAlpha(input) : INSIDE_ALPHA * input.opacity) / 255);
    gl.uniform1f(this.#at("edge"), EDGE_ALPHA / 255);
    gl.activeTexture(gl.TEXTURE0 + RAMP_UNIT);
    gl.bindTexture(gl.TEXTURE_2D, this.#ramps[heat ? "heat" : "uncertainty"]);
  }

  #upload(maps: readonly ClassMap[]): void {
    if (maps === this.#uploaded) return;
    this.#uploaded = maps;
    const gl = this.#gl;
    const { width, height } = maps[0]?.map ?? { width: 1, height: 1 };
    const [inside, outside] = maps.length === 1 ? ([gl.R16F, gl.RED] as const) : ([gl.RGBA16F, gl.RGBA] as const);
    const layers = Math.ceil(maps.length / (maps.length === 1 ? 1 : 4));
    gl.activeTexture(gl.TEXTURE0 + MAPS_UNIT);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, this.#maps);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
    gl.texImage3D(gl.TEXTURE_2D_ARRAY, 0, inside, width, height, layers, 0, outside, gl.HALF_FLOAT, packLogits(maps));
  }

  /** False where the driver cannot compile what it claims to know. */
  #setUp(): boolean {
    const gl = this.#gl;
    this.#uploaded = null;
    this.#most_pixels = Number(gl.getParameter(gl.MAX_TEXTURE_SIZE));
    this.#places.clear();
    this.#program = link(gl);
    if (this.#program === null) return false;
    gl.useProgram(this.#program);
    this.#maps = texture(gl, gl.TEXTURE_2D_ARRAY);
    this.#ramps = { heat: this.#ramp(heatColor), uncertainty: this.#ramp(uncertaintyColor) };
    gl.uniform1i(this.#at("maps"), MAPS_UNIT);
    gl.uniform1i(this.#at("ramp"), RAMP_UNIT);
    return true;
  }

  #ramp(color: (position: number) => Rgb): WebGLTexture | null {
    const gl = this.#gl;
    const made = texture(gl, gl.TEXTURE_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, RAMP_STEPS, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, rampBytes(color));
    return made;
  }

  #at(name: string): WebGLUniformLocation | null {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const found = this.#program ? this.#gl.getUniformLocation(this.#program, name) : null;
    this.#places.set(name, found);
    return found;
  }
}

function isSoftware(gl: WebGL2RenderingContext): boolean {
  const masked: unknown = gl.getParameter(gl.RENDERER);
  // Chromium hides the name behind this; Firefox warns of it, and tells the name without.
  const info = String(masked) === "WebKit WebGL" ? gl.getExtension("WEBGL_debug_renderer_info") : null;
  return SOFTWARE.test(String(info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : masked));
}

function link(gl: WebGL2RenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) === true ? program : null;
}

function texture(gl: WebGL2RenderingContext, target: GLenum): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(target, made);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, filter, gl.LINEAR);
  for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(target, wrap, gl.CLAMP_TO_EDGE);
  return made;
}
