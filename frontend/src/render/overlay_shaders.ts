/** GLSL ES 3.00 of the overlay. The maps hold logits, four classes a texel; the texture unit interpolates between them. */

/** Classes that the palette holds. */
export const MOST_CLASSES = 64;

export const STYLE_NUMBERS = { classes: 0, certainty: 1, confidence: 2, uncertainty: 3, contour: 4, veil: 5 } as const;

export const VERTEX_SHADER = `#version 300 es
out vec2 place;
uniform vec4 part; // left, top, width, height of what the canvas shows, as shares of the picture
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  place = part.xy + vec2(corner.x, 1.0 - corner.y) * part.zw;
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

export const FRAGMENT_SHADER = `#version 300 es
precision highp float;
precision highp sampler2DArray;
in vec2 place;
out vec4 painted;
uniform sampler2DArray maps;
uniform sampler2D ramp;
uniform vec3 palette[${MOST_CLASSES}];
uniform int planes;       // maps there are
uniform bool is_binary;   // one map says everything of two classes
uniform int style;
uniform int heat_plane;   // -1: a class without a map
uniform bool heat_flipped;
uniform float chance;     // 1 / classes
uniform vec2 pixel;       // of the screen (CSS), as shares of the picture
uniform float inside;     // alpha within outlines; of a veil
uniform float edge;       // alpha of the line beside an outline

float sigmoid(float logit) { return 1.0 / (1.0 + exp(-logit)); }

vec4 four(vec2 at, int layer) { return texture(maps, vec3(at, float(layer))); }

// Most likely class, its P, and P of the next one.
vec3 best(vec2 at) {
  if (is_binary) {
    float p = sigmoid(four(at, 0).r);
    return p >= 0.5 ? vec3(0.0, p, 1.0 - p) : vec3(1.0, 1.0 - p, p);
  }
  int top = 0;
  float first = -1e9, second = -1e9;
  for (int layer = 0; 4 * layer < planes; layer++) {
    vec4 logits = four(at, layer);
    for (int i = 0; i < 4; i++) {
      int k = 4 * layer + i;
      if (k >= planes) break;
      float logit = logits[i];
      if (logit > first) { second = first; first = logit; top = k; }
      else second = max(second, logit);
    }
  }
  return vec3(float(top), sigmoid(first), sigmoid(second));
}

vec4 over(vec3 color, float alpha) { return vec4(color * alpha, alpha); }

vec3 rampAt(float position) { return texture(ramp, vec2((position * 255.0 + 0.5) / 256.0, 0.5)).rgb; }

// How much of a circle lies in other classes: 1 on a border, 0 from "radius" on.
float near_border(float label, float radius) {
  float others = 0.0;
  for (int i = 0; i < 8; i++) {
    float angle = float(i) * 0.785398;
    vec2 at = clamp(place + vec2(cos(angle), sin(angle)) * radius * pixel, 0.0, 1.0);
    if (best(at).x != label) others += 1.0;
  }
  return min(others / 2.0, 1.0);
}

bool is_bright(vec3 color) {
  vec3 linear = mix(color / 12.92, pow((color + 0.055) / 1.055, vec3(2.4)), step(0.04045, color));
  float luminance = dot(linear, vec3(0.2126, 0.7152, 0.0722));
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05);
}

vec4 contour(vec3 here) {
  vec3 color = palette[int(here.x)];
  vec4 result = over(color, inside);
  vec3 contrast = is_bright(color) ? vec3(0.0) : vec3(1.0);
  float beside = near_border(here.x, 2.75) * edge;
  result = over(contrast, beside) + result * (1.0 - beside);
  float border = near_border(here.x, 1.6);
  return over(color, border) + result * (1.0 - border);
}

void main() {
  if (style == ${STYLE_NUMBERS.veil}) {
    painted = over(palette[0], inside);
    return;
  }
  if (style == ${STYLE_NUMBERS.confidence}) {
    float p = heat_plane < 0 ? 0.0 : sigmoid(four(place, heat_plane / 4)[heat_plane % 4]);
    painted = vec4(rampAt(heat_flipped ? 1.0 - p : p), 1.0);
    return;
  }
  vec3 here = best(place);
  if (style == ${STYLE_NUMBERS.uncertainty}) painted = vec4(rampAt(1.0 - (here.y - here.z)), 1.0);
  else if (style == ${STYLE_NUMBERS.contour}) painted = contour(here);
  else {
    float sure = style == ${STYLE_NUMBERS.certainty} ? clamp((here.y - chance) / (1.0 - chance), 0.0, 1.0) : 1.0;
    painted = over(palette[int(here.x)], (70.0 + 185.0 * sure) / 255.0);
  }
}`;
