// The parts of the studio's page that need no browser. Run by test_studio_keys.py where node is there.
import assert from "node:assert/strict";
import test from "node:test";

const page = new URL("../../../src/cutline/studio/page/", import.meta.url);
const load = (name) => import(new URL(name, page));

const { add, move, parse, remove, rename } = await load("tag_text.js");
const { keywordsOf, partsOf, termsOf, withKeywords, without, withTerm } = await load("filter_text.js");
const { keyOf, register, rebind, holders, actions } = await load("keys.js");
const { differences, merge } = await load("difference.js");

test("tags: what is not a tag stays byte by byte", () => {
  const text = "cat,  red mat , night.";
  assert.deepEqual(parse(text).items.map((one) => one.text), ["cat", "red mat", "night"]);
  assert.equal(move(text, 0, 1), "red mat,  cat , night.");
  assert.equal(move(text, 0, 2), "red mat,  night , cat.");
  assert.equal(move(text, 2, 0), "night,  cat , red mat.");
  assert.equal(move(text, 0, 9), text);
  assert.equal(rename(text, 1, " blue mat "), "cat,  blue mat , night.");
  assert.equal(rename(text, 1, " "), remove(text, 1));
  assert.equal(rename(text, 9, "x"), text);
  assert.equal(remove(remove(remove(text, 0), 0), 0), "");
  const lines = "a, cat\n  b, c\nd\ne";
  const each = ["cat\n  b, c\nd\ne", "a\n  b, c\nd\ne", "a, cat\n  c\nd\ne", "a, cat\n  b\nd\ne", "a, cat\n  b, c\ne", "a, cat\n  b, c\nd"];
  assert.deepEqual(each.map((_, place) => remove(lines, place)), each);
  assert.equal(add(text, "snow"), "cat,  red mat , night, snow.");
  assert.equal(add(text, "CAT"), text);
  for (const odd of ["", ",", "a，b、c", "a\nb", "no tags at all.", "v1.5, x."]) {
    const { items, stop } = parse(odd);
    assert.equal(items.map((one) => one.before + one.text + one.after + one.separator).join("") + stop, odd);
  }
});

test("queries: the parts that all have to match are taken off one by one", () => {
  for (const [query, ...parts] of [
    [""],
    ["cat", "cat"],
    [' cat  -dog "red car"', "cat", "-dog", '"red car"'],
    ['-"a OR b" path:"x y/*" words>5', '-"a OR b"', 'path:"x y/*"', "words>5"],
    ["cat OR dog -mat", "cat OR dog -mat"],
    ["(cat OR dog) -(a (b OR \")\")) NOT mat", "(cat OR dog)", '-(a (b OR ")"))', "NOT mat"],
    ["cat AND dog AND NOT (a OR b)", "cat", "dog", "NOT (a OR b)"],
    ["re:/a (b|OR) \\/ \"c/i in:lasso-1", 're:/a (b|OR) \\/ "c/i', "in:lasso-1"],
    ['tag:"a \\"red\\" car" x', 'tag:"a \\"red\\" car"', "x"],
    ["NOT NOT cat --dog - ORT ANDY", "NOT NOT cat", "--dog", "-", "ORT", "ANDY"],
    ['any:"red car,blu*" all:a,b', 'any:"red car,blu*"', "all:a,b"],
    ["a(b)c", "a", "(b)", "c"],
  ]) assert.deepEqual(partsOf(query), parts, query);
  assert.equal(without('cat AND -"a b" (x OR y)', 1), "cat (x OR y)");
  assert.equal(without("a OR b", 0), "");
  assert.equal(withTerm('a OR "cat"', '"cat"'), '(a OR "cat") "cat"');
  assert.equal(withTerm('tag:"a OR b"', "cat"), 'tag:"a OR b" cat');
  assert.equal(withTerm('"a cat b" NOT x', "cat"), '"a cat b" NOT x cat');
});

test("queries: keywords are read from the query and written into it", () => {
  assert.equal(keywordsOf("cat"), null);
  assert.deepEqual(keywordsOf('x any:"red car,blue"'), { field: "any", words: "red car,blue", starts: false });
  assert.deepEqual(keywordsOf("ALL:a*,b*"), { field: "all", words: "a,b", starts: true });
  assert.deepEqual(keywordsOf("any:a*,b"), { field: "any", words: "a*,b", starts: false });
  assert.equal(withKeywords("cat OR dog", { field: "any", words: "red car, blu*,", starts: false }), '(cat OR dog) any:"red car,blu*"');
  assert.equal(withKeywords("any:x cat", { field: "all", words: "a, b*", starts: true }), "all:a*,b* cat");
  assert.equal(withKeywords("cat any:x", { field: "any", words: " , ", starts: true }), "cat");
});

test("queries: a term goes in, out, and turns round", () => {
  assert.equal(withTerm("", "cat"), "cat");
  assert.equal(withTerm("dog", "cat", true), "dog -cat");
  assert.equal(withTerm("dog -cat", "cat"), "dog cat");
  assert.equal(withTerm("dog cat", "cat"), "dog");
  assert.equal(withTerm("a OR b", "cat"), "(a OR b) cat");
  assert.deepEqual(termsOf('long hair, "x" y'), [
    { text: "long hair", term: 'tag:"long hair"' },
    { text: '"x" y', term: 'tag:"\\"x\\" y"' },
  ]);
  assert.deepEqual(termsOf("A dog, seen by a Dog.").map((one) => one.term), ['"dog"', '"seen"']);
});

test("keys: as the registry writes them, on every keyboard", () => {
  const press = (key, code, ...held) => keyOf({
    key, code, ctrlKey: held.includes("Ctrl"), altKey: held.includes("Alt"), shiftKey: held.includes("Shift"), metaKey: false,
  });
  assert.equal(press("z", "KeyZ", "Ctrl"), "Ctrl+Z");
  assert.equal(press("Z", "KeyZ", "Ctrl", "Shift"), "Ctrl+Shift+Z");
  assert.equal(press("?", "Slash", "Shift"), "?");
  assert.equal(press("J", "KeyJ"), "J"); // Caps Lock
  assert.equal(press("о", "KeyJ"), "J"); // Russian
  assert.equal(press("¡", "Digit1", "Alt"), "Alt+1");
  assert.equal(press("&", "Digit1", "Alt"), "Alt+1"); // French
  assert.equal(press(" ", "Space"), "Space");
  assert.equal(press("ArrowDown", "ArrowDown", "Shift"), "Shift+ArrowDown");
});

test("keys: what is changed is told from what is not", () => {
  register({ id: "one", keys: ["A"], text: "one", run: () => {} });
  register({ id: "two", keys: ["B"], text: "two", run: () => {} });
  rebind({ one: ["B"] });
  assert.deepEqual(holders("one", "B").map((action) => action.id), ["two"]);
  rebind({});
  assert.deepEqual(actions.get("one").keys, ["A"]);
});

test("words: differences lead from one text to the other, and merge has both", () => {
  const parts = differences("a cat on a mat", "a dog on a red mat");
  assert.equal(parts.filter((part) => part.kind !== "removed").map((part) => part.text).join(""), "a dog on a red mat");
  assert.equal(parts.filter((part) => part.kind !== "added").map((part) => part.text).join(""), "a cat on a mat");
  assert.equal(merge("a cat on a mat", "a dog on a mat", "a cat on a red mat"), "a dog on a red mat");
});

test("words: of long texts, too, differences are those of single words", () => {
  const words = Array.from({ length: 3000 }, (_, place) => (place % 7 ? `word${place % 13}` : "a"));
  const before = words.join(" ");
  const after = words.map((word, place) => (word === "a" && place % 5 ? "one" : word)).filter((_, place) => place % 101 !== 3).join(" ");
  const parts = differences(before, after);
  assert.equal(parts.filter((part) => part.kind !== "removed").map((part) => part.text).join(""), after);
  assert.equal(parts.filter((part) => part.kind !== "added").map((part) => part.text).join(""), before);
  assert.ok(parts.every((part) => part.kind === "same" || part.text.length < 20));
  assert.ok(parts.filter((part) => part.kind !== "same").length < 900);
});

const { middles, PointIndex, winding } = await load("scatter_index.js");
const { clustersOf, joined, lassoOf, withClusters, withLasso } = await load("filter_text.js");
const { palette } = await load("scatter_paint.js");

/** Random points, some nowhere, some at the same place. */
function scattered(count, seed) {
  let state = seed;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const points = Float32Array.from({ length: 2 * count }, () => Math.round(random() * 2000 - 1000) / 1000);
  for (let at = 0; at < count; at += 17) points[2 * at] = NaN;
  return { points, random };
}

test("map: the nearest point and what a lasso encloses are those found without an index", () => {
  for (const [count, seed] of [[0, 1], [1, 2], [2, 3], [40, 4], [3000, 5]]) {
    const { points, random } = scattered(count, seed);
    const index = new PointIndex(points);
    for (let turn = 0; turn < 40; turn += 1) {
      const [x, y, radius] = [random() * 3 - 1.5, random() * 3 - 1.5, random() ** 3];
      let [best, found] = [radius * radius, -1];
      for (let at = 0; at < count; at += 1) {
        const distance = (points[2 * at] - x) ** 2 + (points[2 * at + 1] - y) ** 2;
        if (distance < best || (distance === best && found < 0)) [best, found] = [distance, at];
      }
      assert.equal(index.nearest(x, y, radius), found);
      const corners = Array.from({ length: 2 * (3 + (turn % 12)) }, (_, at) => (turn % 3 ? random() * 2.4 - 1.2 : points[at] || 0));
      const expected = Uint8Array.from({ length: count }, (_, at) => (points[2 * at] === points[2 * at] && winding(corners, points[2 * at], points[2 * at + 1]) ? 1 : 0));
      assert.deepEqual(index.lasso(corners), expected);
    }
  }
});

test("map: a lasso that goes round twice holds what lies in both rounds", () => {
  const twice = [0, 0, 4, 0, 4, 4, 0, 4, 0, 0, 3, 0, 3, 3, 0, 3];
  assert.equal(winding(twice, 1, 1), 2);
  assert.equal(winding(twice, 5, 1), 0);
  const inside = new PointIndex(Float32Array.of(1, 1, 3.5, 3.5, 5, 1, NaN, NaN)).lasso(twice);
  assert.deepEqual([...inside], [1, 1, 0, 0]);
  assert.deepEqual([...new PointIndex(Float32Array.of(1, 1, 2, 2, 3, 3)).box(2, 2, 1, 1)], [1, 1, 0]);
});

test("map: clusters and lassos are terms of the query", () => {
  assert.equal(withClusters("dog", ["red, car"]), 'dog cluster:"red, car"');
  assert.equal(withClusters('dog cluster:"red, car" cat', ["sky"]), "dog cluster:sky cat");
  assert.equal(withClusters("dog cluster:sky", ["sky", 'a "b"']), 'dog (cluster:sky OR cluster:"a \\"b\\"")');
  assert.deepEqual(clustersOf('dog (cluster:sky OR cluster:"a \\"b\\"") x'), ["sky", 'a "b"']);
  assert.equal(withClusters('dog (cluster:sky OR cluster:"a \\"b\\"") x', []), "dog x");
  assert.deepEqual(clustersOf("-cluster:sky"), []);
  assert.equal(withLasso("", "lasso-1", "add"), "in:lasso-1");
  assert.equal(withLasso("dog in:lasso-1", "lasso-2", "new"), "dog in:lasso-2");
  assert.equal(withLasso("dog in:lasso-1", "lasso-2", "take"), "dog in:lasso-2");
  assert.equal(withLasso("dog", "lasso-2", "add"), "dog OR in:lasso-2");
  assert.equal(withLasso("dog cat", "lasso-2", "add"), "(dog cat) OR in:lasso-2");
  assert.equal(withLasso("dog", "lasso-2", "take"), "dog -in:lasso-2");
  assert.deepEqual(lassoOf("dog -in:lasso-12"), { name: "lasso-12", isOut: true });
  assert.equal(lassoOf("in:lasso-1x"), null);
  const [drawn, before] = [Uint8Array.of(1, 1, 0, 0), Uint8Array.of(1, 0, 1, 0)];
  assert.deepEqual([...joined(drawn, before, false, "add")], [1, 1, 1, 0]);
  assert.deepEqual([...joined(drawn, before, false, "take")], [0, 0, 1, 0]);
  assert.deepEqual([...joined(drawn, before, true, "take")], [1, 1, 1, 0]);
  assert.deepEqual([...joined(drawn, before, false, "new")], [1, 1, 0, 0]);
});

test("map: colours are those that were given, and names lie where most of a cluster is", () => {
  const bytes = palette([{ number: 0, color: "#0102ff" }, { number: 3, color: "#a0b0c0" }], false);
  assert.deepEqual([...bytes.slice(0, 4), ...bytes.slice(12, 16)], [1, 2, 255, 255, 160, 176, 192, 255]);
  assert.deepEqual(bytes.slice(4, 8), bytes.slice(4 * 255));
  const points = Float32Array.of(-0.9, -0.9, -0.91, -0.9, 0.9, 0.9, 0.5, 0.5, NaN, NaN);
  const [first, second, third] = middles(points, Uint8Array.of(0, 0, 0, 1, 1), 3);
  assert.ok(first && first.x < -0.8 && second && Math.abs(second.x - 0.5) < 0.06);
  assert.equal(third, null);
});
