// @ts-check
/** The bulk edits that the server has, and the fields of each. */

/**
 * `type`: "text"; "tags", several between commas; "check".
 * @typedef {{name: string, label: string, type: "text" | "tags" | "check", optional?: boolean}} Field
 * @typedef {{kind: string, label: string, fields: Field[]}} Kind
 */

/** @type {Kind[]} */
export const KINDS = [
  {
    kind: "replace",
    label: "Replace",
    fields: [
      { name: "old", label: "Find", type: "text" },
      { name: "new", label: "Replace with", type: "text", optional: true },
      { name: "word", label: "Whole words", type: "check" },
      { name: "ignore_case", label: "Ignore case", type: "check" },
      { name: "regex", label: "Regular expression", type: "check" },
    ],
  },
  { kind: "prefix", label: "Put a text before", fields: [{ name: "text", label: "Text", type: "text" }] },
  { kind: "suffix", label: "Put a text behind", fields: [{ name: "text", label: "Text", type: "text" }] },
  { kind: "trigger", label: "Add a trigger word", fields: [{ name: "text", label: "Trigger word", type: "text" }] },
  {
    kind: "add-tag",
    label: "Add a tag",
    fields: [
      { name: "tag", label: "Tag", type: "text" },
      { name: "first", label: "As the first tag", type: "check" },
    ],
  },
  { kind: "remove-tag", label: "Remove tags", fields: [{ name: "tags", label: "Tags, between commas", type: "tags" }] },
  {
    kind: "rename-tag",
    label: "Rename or merge tags",
    fields: [
      { name: "tags", label: "Tags, between commas", type: "tags" },
      { name: "new", label: "New name", type: "text" },
    ],
  },
  { kind: "sort-tags", label: "Sort tags by the alphabet", fields: [] },
  { kind: "dedupe-tags", label: "Remove repeated tags", fields: [] },
  { kind: "trim", label: "Trim blanks", fields: [] },
  { kind: "sentence-case", label: "Begin sentences with capitals", fields: [] },
  { kind: "remove-openers", label: "Remove openers such as “The image shows”", fields: [] },
];

/** The edit as the server takes it; null while something needed is empty. @param {string} name @param {Record<string, any>} values */
export function editOf(name, values) {
  const kind = /** @type {Kind} */ (KINDS.find((one) => one.kind === name));
  /** @type {Record<string, any>} */
  const edit = { kind: name };
  for (const field of kind.fields) {
    const value = values[field.name];
    if (field.type === "check") edit[field.name] = Boolean(value);
    else if (field.type === "tags") {
      edit[field.name] = String(value ?? "").split(",").map((tag) => tag.trim()).filter(Boolean);
    } else edit[field.name] = value ?? "";
    if (!field.optional && edit[field.name].length === 0) return null;
  }
  return edit;
}
