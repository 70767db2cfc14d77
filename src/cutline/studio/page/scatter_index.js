// @ts-check
/** Points of a plane in a uniform grid of cells, which answers the nearest point and what a polygon encloses. Pure. */

const PER_CELL = 4;
const MOST = 1024; // cells a side

/**
 * How often a closed polygon goes round a point; not 0: the point is inside (the non-zero rule, by which all that was
 * drawn round belongs to it, also where a lasso crosses itself).
 * @param {ArrayLike<number>} polygon x and y of its corners @param {number} x @param {number} y
 * @param {ArrayLike<number>} [edges] the edges that can count, all by default
 */
export function winding(polygon, x, y, edges) {
  const corners = polygon.length / 2;
  const count = edges ? edges.length : corners;
  let turns = 0;
  for (let each = 0; each < count; each += 1) {
    const edge = edges ? edges[each] : each;
    const next = edge + 1 === corners ? 0 : edge + 1;
    const [x1, y1, x2, y2] = [polygon[2 * edge], polygon[2 * edge + 1], polygon[2 * next], polygon[2 * next + 1]];
    if (y1 <= y === y2 <= y) continue;
    const side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1);
    if (y1 <= y && side > 0) turns += 1;
    else if (y1 > y && side < 0) turns -= 1;
  }
  return turns;
}

export class PointIndex {
  /** @param {Float32Array} points x and y of each; NaN: the point is nowhere */
  constructor(points) {
    this.points = points;
    this.count = points.length / 2;
    let [left, bottom, right, top, there] = [Infinity, Infinity, -Infinity, -Infinity, 0];
    for (let at = 0; at < points.length; at += 2) {
      const [x, y] = [points[at], points[at + 1]];
      if (!(x === x && y === y)) continue;
      there += 1;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < bottom) bottom = y;
      if (y > top) top = y;
    }
    this.there = there;
    this.left = there ? left : 0;
    this.bottom = there ? bottom : 0;
    this.right = there ? right : 0;
    this.top = there ? top : 0;
    this.side = Math.max(1, Math.min(MOST, Math.ceil(Math.sqrt(there / PER_CELL))));
    this.width = (there ? Math.max(right - left, top - bottom) : 0) / this.side || 1;
    this.start = new Uint32Array(this.side * this.side + 1);
    this.order = new Uint32Array(there);
    this.#sort();
  }

  /** Points by cells: those of cell c are order[start[c]] … order[start[c + 1] - 1], by number. */
  #sort() {
    const { points, count, side, start, order } = this;
    const cells = new Int32Array(count);
    for (let at = 0; at < count; at += 1) {
      const [x, y] = [points[2 * at], points[2 * at + 1]];
      const cell = x === x && y === y ? this.line(y) * side + this.column(x) : -1;
      cells[at] = cell;
      if (cell >= 0) start[cell + 1] += 1;
    }
    for (let cell = 0; cell < side * side; cell += 1) start[cell + 1] += start[cell];
    const next = start.slice(0, -1);
    for (let at = 0; at < count; at += 1) if (cells[at] >= 0) order[next[cells[at]]++] = at;
  }

  /** @param {number} place */
  #within(place) {
    return place < 0 ? 0 : place >= this.side ? this.side - 1 : Math.trunc(place);
  }

  /** @param {number} x */
  column(x) {
    return this.#within((x - this.left) / this.width);
  }

  /** @param {number} y */
  line(y) {
    return this.#within((y - this.bottom) / this.width);
  }

  /** The nearest point within a radius, the first of equally near ones; -1: none. @param {number} x @param {number} y @param {number} radius */
  nearest(x, y, radius) {
    const { points, start, order, side, width } = this;
    const [column, line] = [this.column(x), this.line(y)];
    let [best, found] = [radius * radius, -1];
    for (let ring = 0; ring < side; ring += 1) {
      const gap = (ring - 1) * width; // no point of the ring is nearer
      if (gap > 0 && gap * gap > best) break;
      for (let l = line - ring; l <= line + ring; l += 1) {
        if (l < 0 || l >= side) continue;
        const step = Math.abs(l - line) === ring ? 1 : 2 * ring;
        for (let c = column - ring; c <= column + ring; c += step || 1) {
          if (c < 0 || c >= side) continue;
          for (let each = start[l * side + c]; each < start[l * side + c + 1]; each += 1) {
            const point = order[each];
            const distance = (points[2 * point] - x) ** 2 + (points[2 * point + 1] - y) ** 2;
            if (distance < best || (distance === best && (found < 0 || point < found))) [best, found] = [distance, point];
          }
        }
      }
    }
    return found;
  }

  /** A byte for each point: 1 within a rectangle, its edges too. @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
  box(x1, y1, x2, y2) {
    const inside = new Uint8Array(this.count);
    const [left, right, bottom, top] = [Math.min(x1, x2), Math.max(x1, x2), Math.min(y1, y2), Math.max(y1, y2)];
    for (let at = 0; at < this.count; at += 1) {
      const [x, y] = [this.points[2 * at], this.points[2 * at + 1]];
      if (x >= left && x <= right && y >= bottom && y <= top) inside[at] = 1;
    }
    return inside;
  }

  /**
   * A byte for each point: 1 inside a polygon. Cells that no edge comes near are in or out as a whole; the points of
   * the others are tested each, so that the result is exactly that of `winding`.
   * @param {ArrayLike<number>} polygon
   */
  lasso(polygon) {
    const { points, start, order, side } = this;
    const inside = new Uint8Array(this.count);
    const { near, edges } = this.#edges(polygon);
    for (let line = 0; line < side; line += 1) {
      if (!edges[line].length) continue;
      let whole = -1; // whether the cells since the last one near an edge are inside
      for (let column = 0; column < side; column += 1) {
        const cell = line * side + column;
        if (near[cell]) whole = -1;
        else if (whole < 0) {
          const x = this.left + (column + 0.5) * this.width;
          whole = winding(polygon, x, this.bottom + (line + 0.5) * this.width, edges[line]) ? 1 : 0;
        }
        if (whole === 0) continue;
        for (let each = start[cell]; each < start[cell + 1]; each += 1) {
          const point = order[each];
          if (whole === 1 || winding(polygon, points[2 * point], points[2 * point + 1], edges[line])) inside[point] = 1;
        }
      }
    }
    return inside;
  }

  /** The cells that an edge comes near, and for each line of cells the edges that can count there. @param {ArrayLike<number>} polygon */
  #edges(polygon) {
    const { side, width } = this;
    const near = new Uint8Array(side * side);
    const edges = Array.from({ length: side }, () => /** @type {number[]} */ ([]));
    const corners = polygon.length / 2;
    for (let edge = 0; edge < corners; edge += 1) {
      const next = edge + 1 === corners ? 0 : edge + 1;
      const [x1, y1, x2, y2] = [polygon[2 * edge], polygon[2 * edge + 1], polygon[2 * next], polygon[2 * next + 1]];
      const [from, to] = [this.line(Math.min(y1, y2)), this.line(Math.max(y1, y2))];
      for (let line = from; line <= to; line += 1) edges[line].push(edge);
      for (let line = Math.max(0, from - 1); line <= Math.min(side - 1, to + 1); line += 1) {
        const low = this.bottom + (line - 1) * width; // a cell of margin
        const at = (/** @type {number} */ y) => (y1 === y2 ? NaN : x1 + (x2 - x1) * Math.max(0, Math.min(1, (y - y1) / (y2 - y1))));
        const [one, other] = y1 === y2 ? [x1, x2] : [at(low), at(low + 3 * width)];
        const last = Math.min(side - 1, this.column(Math.max(one, other)) + 1);
        near.fill(1, line * side + Math.max(0, this.column(Math.min(one, other)) - 1), line * side + last + 1);
      }
    }
    return { near, edges };
  }
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
