// @ts-check
/** Draws the points of a scatter plot: with WebGL2, or without it up to 20,000 of them with Canvas 2D. */

/** States of a point, a byte each. */
export const IN = 1; // selected; the others are dimmed
export const STALE = 2; // drawn as a ring

export const FEW = 20_000; // points that every machine draws in time
const DIM = 0.25; // of the opacity

export const NONE = 255; // the number of what has no colour

/**
 * Colours as 256 × RGBA, by number; grey for what has none.
 * @param {readonly {number: number, color: string}[]} given as #rrggbb @param {boolean} isDark
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function palette(given, isDark) {
  const bytes = new Uint8Array(1024);
  for (let number = 0; number < 256; number += 1) bytes.set(isDark ? [122, 128, 136, 255] : [140, 146, 152, 255], 4 * number);
  for (const { number, color } of given) {
    const value = Number.parseInt(color.slice(1), 16);
    bytes.set([value >> 16, (value >> 8) & 255, value & 255], 4 * number);
  }
  return bytes;
}

/**
 * What is drawn: positions before and after a glide, `part` of which is over; pixels for a unit and the middle of the
 * view, in pixels of the device. `sample`: some rows that stand for all.
 * @typedef {{part: number, scale: number, x: number, y: number, size: number, dims: boolean, sample: Uint32Array | null}} View
 * @typedef {{from: Float32Array, to: Float32Array, labels: Uint8Array, states: Uint8Array, palette: Uint8Array}} Points
 * @typedef {{limit: number, load: (points: Points, parts: readonly (keyof Points)[]) => void, draw: (view: View) => void,
 *   drawn: (then: (time: number) => void) => void, end: () => void}} Painter `drawn`: calls with the milliseconds until all is drawn
 */

const VERTEX = `#version 300 es
layout(location = 0) in vec2 from;
layout(location = 1) in vec2 to;
layout(location = 2) in uint label;
layout(location = 3) in uint state;
uniform vec4 place;
uniform float part;
uniform float size;
uniform float dim; // opacity of what is not selected
uniform sampler2D palette;
out vec4 colour;
flat out uint ring;
void main() {
  ring = state & 2u;
  bool isIn = (state & 1u) == 1u;
  gl_Position = vec4(mix(from, to, part) * place.xy + place.zw, isIn ? 0.0 : 0.5, 1.0); // what is selected is above
  gl_PointSize = ring == 2u ? max(size * 1.5, 5.0) : size;
  colour = texelFetch(palette, ivec2(int(label), 0), 0);
  colour.a = isIn ? 0.85 : dim;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
flat in uint ring;
uniform float size;
out vec4 drawn;
void main() {
  float far = length(gl_PointCoord - 0.5) * 2.0;
  float soft = 2.0 / max(size, 2.0);
  float alpha = size < 2.5 && ring == 0u ? 1.0 : 1.0 - smoothstep(1.0 - soft, 1.0, far);
  if (ring == 2u) alpha *= smoothstep(0.3, 0.5, far);
  if (alpha < 0.02) discard;
  drawn = vec4(colour.rgb, 1.0) * colour.a * alpha;
}`;

/** Rows of points that stand for all: as many as every machine draws. @param {number} count @returns {Uint32Array} */
export function sampleOf(count) {
  const rows = Uint32Array.from({ length: count }, (_, row) => row);
  if (count <= FEW) return rows;
  for (let at = 0; at < FEW; at += 1) {
    const other = at + Math.floor(Math.random() * (count - at));
    [rows[at], rows[other]] = [rows[other], rows[at]];
  }
  return rows.slice(0, FEW);
}

/** @param {WebGL2RenderingContext} gl */
function programOf(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program) ?? "");
  return program;
}

/** With WebGL2; null where there is none. @param {HTMLCanvasElement} canvas @param {() => void} redraw after a lost context @returns {Painter | null} */
export function glPainter(canvas, redraw) {
  const found = canvas.getContext("webgl2", { antialias: false, powerPreference: "high-performance" });
  if (!found) return null;
  const gl = found;
  /** @type {Points | null} */
  let kept = null;
  /** @type {Record<string, WebGLBuffer | null>} */
  let buffers = {};
  /** @type {(name: string) => WebGLUniformLocation | null} */
  let uniform;
  /** @type {Uint32Array | null} */
  let sampled = null;

  function start() {
    const program = programOf(gl);
    gl.useProgram(program);
    uniform = (name) => gl.getUniformLocation(program, name);
    buffers = Object.fromEntries(["from", "to", "labels", "states", "sample"].map((name) => [name, gl.createBuffer()]));
    sampled = null;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (let place = 0; place < 4; place += 1) gl.enableVertexAttribArray(place);
    if (kept) load(kept, ["from", "to", "labels", "states", "palette"]);
  }

  /** @type {Painter["load"]} */
  function load(points, parts) {
    kept = points;
    if (gl.isContextLost()) return;
    for (const part of parts) {
      if (part === "palette") gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, points.palette);
      else if (part !== "from" || points.from !== points.to) {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffers[part]);
        gl.bufferData(gl.ARRAY_BUFFER, points[part], gl.STATIC_DRAW);
      }
    }
    const attributes = /** @type {const} */ ([[0, points.from === points.to ? "to" : "from"], [1, "to"], [2, "labels"], [3, "states"]]);
    for (const [place, name] of attributes) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      if (place < 2) gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
      else gl.vertexAttribIPointer(place, 1, gl.UNSIGNED_BYTE, 0, 0);
    }
  }

  /** @type {Painter["draw"]} */
  function draw({ part, scale, x, y, size, sample }) {
    if (gl.isContextLost() || !kept) return;
    const [width, height] = [canvas.width, canvas.height];
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform4f(uniform("place"), (2 * scale) / width, (2 * scale) / height, (-2 * scale * x) / width, (-2 * scale * y) / height);
    gl.uniform1f(uniform("part"), part);
    gl.uniform1f(uniform("size"), size);
    if (sample) {
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.sample);
      if (sample !== sampled) gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, sample, gl.STATIC_DRAW);
      sampled = sample;
    }
    gl.uniform1f(uniform("dim"), DIM);
    if (sample) gl.drawElements(gl.POINTS, sample.length, gl.UNSIGNED_INT, 0);
    else gl.drawArrays(gl.POINTS, 0, kept.labels.length);
  }

  /** @type {Painter["drawn"]} */
  function drawn(then) {
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    const since = performance.now();
    if (!fence) return;
    gl.flush();
    const look = () => {
      if (gl.isContextLost()) return;
      if (gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED) return void setTimeout(look, 4);
      gl.deleteSync(fence);
      then(performance.now() - since);
    };
    setTimeout(look);
  }

  start();
  const lost = (/** @type {Event} */ event) => event.preventDefault(); // so that it comes back
  const restored = () => (start(), redraw());
  canvas.addEventListener("webglcontextlost", lost);
  canvas.addEventListener("webglcontextrestored", restored);
  const end = () => {
    canvas.removeEventListener("webglcontextlost", lost);
    canvas.removeEventListener("webglcontextrestored", restored);
    gl.getExtension("WEBGL_lose_context")?.loseContext(); // browsers keep few of them
  };
  return { limit: Infinity, load, draw, drawn, end };
}

/** With Canvas 2D, which draws only a part of many points. @param {HTMLCanvasElement} canvas @returns {Painter} */
export function canvasPainter(canvas) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @type {Points | null} */
  let kept = null;

  /** @type {Painter["draw"]} */
  function draw({ part, scale, x, y, size, dims, sample }) {
    if (!kept) return;
    const { from, to, labels, states, palette } = kept;
    const rows = sample ?? sampleOf(Math.min(labels.length, FEW));
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (const shown of dims ? [0, 1] : [2]) {
      pen.globalAlpha = shown ? 0.85 : DIM;
      for (const row of rows) {
        if (shown !== 2 && (states[row] & IN) !== shown) continue;
        const across = (from[2 * row] + part * (to[2 * row] - from[2 * row]) - x) * scale + canvas.width / 2;
        const down = canvas.height / 2 - (from[2 * row + 1] + part * (to[2 * row + 1] - from[2 * row + 1]) - y) * scale;
        if (!(across > -size && down > -size && across < canvas.width + size && down < canvas.height + size)) continue;
        const at = 4 * labels[row];
        const colour = `rgb(${palette[at]} ${palette[at + 1]} ${palette[at + 2]})`;
        pen.fillStyle = pen.strokeStyle = colour;
        if (states[row] & STALE) pen.strokeRect(across - size / 2, down - size / 2, size, size);
        else pen.fillRect(across - size / 2, down - size / 2, size, size);
      }
    }
  }
  return { limit: FEW, load: (points) => (kept = points), draw, drawn: () => {}, end: () => {} };
}
