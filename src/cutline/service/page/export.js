// Captions as text, CSV and JSON; to the clipboard and to a file.

export const asText = (rows) => rows.map((row) => `${row.image}\n${row.caption}\n`).join("\n");

export function asCsv(rows) {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return ["image,caption", ...rows.map((row) => `${cell(row.image)},${cell(row.caption)}`)].join("\r\n") + "\r\n";
}

export const asJson = (rows) => JSON.stringify(rows, null, 2) + "\n";

export function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// The clipboard is closed to pages that come by plain http from another machine: there the old way is left.
export async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // not allowed: the old way
    }
  }
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
