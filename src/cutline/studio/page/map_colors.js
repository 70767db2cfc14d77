// @ts-check
/** Colours of the map's points, and where names lie on it. Pure functions. */

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
 * Where the most points of each label lie, where its name can stand: the middle of the fullest square.
 * @param {Float32Array} points within [-1, 1] @param {Uint8Array} labels @param {number} count
 * @returns {({x: number, y: number} | null)[]}
 */
export function middles(points, labels, count) {
  const side = 40;
  const cells = new Uint32Array(count * side * side);
  const place = (/** @type {number} */ value) => Math.max(0, Math.min(side - 1, Math.floor(((value + 1) / 2) * side)));
  for (let row = 0; row < labels.length; row += 1) {
    const [x, y] = [points[2 * row], points[2 * row + 1]];
    if (labels[row] < count && x === x) cells[(labels[row] * side + place(y)) * side + place(x)] += 1;
  }
  return Array.from({ length: count }, (_, label) => {
    let [best, found] = [0, /** @type {{x: number, y: number} | null} */ (null)];
    for (let line = 0; line < side; line += 1) {
      for (let column = 0; column < side; column += 1) {
        if (!cells[(label * side + line) * side + column]) continue;
        let [sum, x, y] = [0, 0, 0];
        for (let l = Math.max(0, line - 1); l <= Math.min(side - 1, line + 1); l += 1) {
          for (let c = Math.max(0, column - 1); c <= Math.min(side - 1, column + 1); c += 1) {
            const count = cells[(label * side + l) * side + c];
            [sum, x, y] = [sum + count, x + count * c, y + count * l];
          }
        }
        if (sum > best) [best, found] = [sum, { x: (2 * (x / sum + 0.5)) / side - 1, y: (2 * (y / sum + 0.5)) / side - 1 }];
      }
    }
    return found;
  });
}
