// Picture files from a drop, with the files in its folders.

const KNOWN = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf]|jxl|ico|ppm|pgm|pnm|tga|jp2)$/i;

export const isPicture = (file) => (file.type ? file.type.startsWith("image/") : KNOWN.test(file.name));

export async function dropped(transfer) {
  // The entries must be taken before the first await: afterwards the browser has emptied the list.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry, files) {
  if (entry.isFile) {
    files.push(await new Promise((found, failed) => entry.file(found, failed)));
    return;
  }
  const reader = entry.createReader();
  const next = () => new Promise((found, failed) => reader.readEntries(found, failed));
  for (let some = await next(); some.length; some = await next()) // a hundred at a time
    for (const inner of some) if (!inner.name.startsWith(".")) await walk(inner, files);
}
