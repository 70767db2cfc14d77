// The API's description as a page, from openapi.json; everything in it is set as text.

import { forget, hasKey, keep, request } from "./client.js";
import { copy } from "./export.js";
import { curlOf, exampleOf, linesOf, typeOf } from "./schemas.js";

const $ = (id) => document.getElementById(id);
const TITLES = { captions: "Captions", jobs: "Jobs", openai: "OpenAI-compatible", health: "Health", more: "More" }; // in this order
const METHODS = ["get", "post", "put", "patch", "delete"];

function make(tag, attributes = {}, ...inner) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inner.filter((one) => one !== null && one !== undefined));
  return element;
}

// Backticks become code; paragraphs stay paragraphs.
function prose(text) {
  return text.trim().split(/\n\s*\n/).map((part) => make("p", {}, ...inline(part)));
}

const inline = (text) =>
  text.split(/(``[^`]+``|`[^`]+`)/).map((part) => (part.startsWith("`") ? make("code", {}, part.replaceAll("`", "")) : part));

// Names of schemas in a type are links to them.
const linked = (type, api) =>
  type.split(/(\w+)/).map((word) => (api.components?.schemas?.[word]?.properties ? make("a", { href: `#schema-${word}` }, word) : word));

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((cell) => make("td", {}, ...[cell].flat()))),
  );
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

function copyable(text, label) {
  const button = make("button", { type: "button", "aria-label": label }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text)) ? "Copied" : "Not allowed";
    setTimeout(() => (button.textContent = "Copy"), 1_500);
  });
  return make("div", { class: "copyable" }, make("pre", { tabindex: "0" }, make("code", {}, text)), button);
}

const fieldTable = (schema, api) =>
  table(
    ["Field", "Type", "Meaning"],
    linesOf(schema, api).map((line) => [
      make("code", {}, line.name),
      [...linked(line.type, api), line.required ? make("strong", {}, " required") : ""],
      inline([line.description, line.limits].filter(Boolean).join(" ")),
    ]),
  );

function parameters(operation, api) {
  if (!operation.parameters?.length) return [];
  const rows = operation.parameters.map((one) => [
    make("code", {}, one.name),
    [`${typeOf(one.schema ?? {}, api)} in ${one.in}`, one.required ? make("strong", {}, " required") : ""],
    inline(one.description ?? one.schema?.description ?? ""),
  ]);
  return [make("h4", {}, "Parameters"), table(["Name", "Type", "Meaning"], rows)];
}

function bodies(operation, api) {
  return Object.entries(operation.requestBody?.content ?? {}).flatMap(([kind, { schema = {}, example, examples }]) => {
    const shown = example ?? Object.values(examples ?? {})[0]?.value ?? exampleOf(schema, api);
    const parts = [make("h4", {}, "Body ", make("code", {}, kind))];
    if (linesOf(schema, api).length) parts.push(fieldTable(schema, api));
    if (kind.includes("json")) parts.push(make("h4", {}, "Example"), make("pre", { tabindex: "0" }, make("code", {}, JSON.stringify(shown, null, 2))));
    return parts;
  });
}

function responses(operation, api) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, { description, content }]) => {
    const schema = Object.values(content ?? {})[0]?.schema;
    const type = schema && Object.keys(schema).length ? typeOf(schema, api) : "";
    return [make("code", {}, status), inline(description ?? ""), linked(type, api)];
  });
  const errors = rows.filter(([status]) => status.textContent >= "400");
  const heads = ["Status", "Meaning", "Body"];
  const parts = [make("h4", {}, "Responses"), table(heads, rows.filter((row) => !errors.includes(row)))];
  if (errors.length) parts.push(make("details", {}, make("summary", {}, "Errors"), table(heads.slice(0, 2), errors.map((row) => row.slice(0, 2)))));
  return parts;
}

function endpoint({ id, method, path, operation }, api) {
  const title = make("h3", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("code", {}, path));
  const curl = curlOf(method, path, operation, api, location.origin, hasKey());
  return make(
    "article",
    { id, "aria-label": `${method.toUpperCase()} ${path}` },
    title,
    ...prose(operation.description || operation.summary || ""),
    ...parameters(operation, api),
    ...bodies(operation, api),
    ...responses(operation, api),
    make("h4", {}, "From a terminal"),
    copyable(curl, `Copy the curl line of ${method.toUpperCase()} ${path}`),
  );
}

function draw(api) {
  $("about").textContent = `${api.info.title} ${api.info.version} · ${api.info.description ?? ""}`;
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths))
    for (const method of METHODS.filter((one) => item[one])) {
      const operation = { ...item[method], parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])] };
      const tag = operation.tags?.[0] ?? "more";
      const id = `${method}${path}`.replaceAll(/[^a-zA-Z0-9]+/g, "-");
      groups.set(tag, [...(groups.get(tag) ?? []), { id, method, path, operation }]);
    }
  const contents = [];
  const main = [];
  const place = (tag) => Object.keys(TITLES).indexOf(tag) + 1 || Infinity;
  for (const [tag, endpoints] of [...groups].sort(([one], [other]) => place(one) - place(other))) {
    const title = TITLES[tag] ?? tag;
    contents.push(make("h2", {}, title), make("ul", {}, ...endpoints.map(link)));
    main.push(make("h2", {}, title), ...endpoints.map((one) => endpoint(one, api)));
  }
  const schemas = Object.entries(api.components?.schemas ?? {}).filter(([, schema]) => schema.properties);
  if (schemas.length) {
    const rows = schemas.map(([name]) => make("li", {}, make("a", { class: "plain", href: `#schema-${name}` }, name)));
    contents.push(make("h2", {}, "Schemas"), make("ul", { class: "schemas" }, ...rows));
    main.push(make("h2", {}, "Schemas"), ...schemas.map(([name, schema]) => schemaArticle(name, schema, api)));
  }
  $("contents").replaceChildren(...contents);
  $("endpoints").replaceChildren(...main);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

const link = ({ id, method, path }) =>
  make("li", {}, make("a", { href: `#${id}` }, make("b", {}, method.toUpperCase()), make("code", {}, path)));

const schemaArticle = (name, schema, api) =>
  make("article", { id: `schema-${name}` }, make("h3", {}, make("code", {}, name)), ...prose(schema.description ?? ""), fieldTable(schema, api));

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep($("key").value.trim());
  $("key").value = "";
  start();
});

async function start() {
  try {
    const api = await request("openapi.json");
    $("locked").hidden = $("notice").hidden = true;
    draw(api);
  } catch (error) {
    const locked = error.status === 401;
    $("locked").hidden = !locked;
    if (locked) $("key").focus();
    $("notice").textContent = locked ? "This key is not accepted." : error.message;
    $("notice").hidden = locked && !hasKey();
    if (locked) forget();
  }
}

start();
