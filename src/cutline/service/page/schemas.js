// JSON Schema as text: types, fields, an example, and the curl command that sends it.

export function resolved(schema, api) {
  if (!schema?.$ref) return schema ?? {};
  const found = schema.$ref.replace("#/", "").split("/").reduce((at, name) => at?.[name], api);
  return found ?? {};
}

export function typeOf(schema, api) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return resolved(schema, api).properties ? name : typeOf(resolved(schema, api), api);
  }
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return [...new Set(several.filter((one) => one.type !== "null").map((one) => typeOf(one, api)))].join(" or ");
  if (schema.allOf) return schema.allOf.map((one) => typeOf(one, api)).join(" and ");
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    return types.map((type) => typeOf({ ...schema, type }, api)).join(" or ");
  }
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {}, api).replace(/^file$/, "files")}`;
  if (schema.format === "binary" || schema.contentMediaType) return "file";
  return { string: "text", integer: "whole number", number: "number", boolean: "true or false", object: "object" }[schema.type] ?? "anything";
}

// The fields of an object; of a choice, those of every kind.
export function linesOf(schema, api) {
  const whole = resolved(schema, api);
  const kinds = whole.anyOf ?? whole.oneOf ?? whole.allOf;
  if (!whole.properties) return kinds ? once(kinds.flatMap((kind) => linesOf(kind, api))) : [];
  return Object.entries(whole.properties).flatMap(([name, field]) => {
    const required = whole.required?.includes(name) ?? false;
    const line = { name, type: typeOf(field, api), required, description: field.description ?? "", limits: limits(field) };
    const inner = field.properties ? linesOf(field, api) : []; // of an object without a schema name
    return [line, ...inner.map((one) => ({ ...one, name: `${name}.${one.name}` }))];
  });
}

const once = (lines) => [...new Map(lines.map((line) => [line.name, line])).values()];

function limits(field) {
  const one = (field.anyOf ?? []).find((kind) => kind.type !== "null") ?? field;
  const parts = [];
  if (one.minimum !== undefined) parts.push(`at least ${one.minimum}`);
  if (one.exclusiveMinimum !== undefined) parts.push(`more than ${one.exclusiveMinimum}`);
  if (one.maximum !== undefined) parts.push(`at most ${one.maximum}`);
  if (one.exclusiveMaximum !== undefined) parts.push(`less than ${one.exclusiveMaximum}`);
  if (one.maxLength !== undefined) parts.push(`at most ${one.maxLength} characters`);
  if (one.maxItems !== undefined) parts.push(`at most ${one.maxItems}`);
  if (field.default !== undefined && field.default !== null) parts.push(`default \`${JSON.stringify(field.default)}\``);
  const text = parts.join(", ");
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}

export function exampleOf(schema, api, depth = 0) {
  const whole = resolved(schema, api);
  if (whole.example !== undefined) return whole.example;
  if (whole.examples?.length) return whole.examples[0];
  if (whole.default !== undefined && whole.default !== null) return whole.default;
  if (whole.enum) return whole.enum[0];
  if (whole.const !== undefined) return whole.const;
  const several = whole.anyOf ?? whole.oneOf ?? whole.allOf;
  if (several) return exampleOf(several.find((one) => one.type !== "null") ?? {}, api, depth + 1);
  if (depth > 6) return null;
  if (Array.isArray(whole.type)) return exampleOf({ ...whole, type: whole.type[0] }, api, depth + 1);
  if (whole.properties) return ofObject(whole, api, depth);
  if (whole.type === "array") return [exampleOf(whole.items ?? {}, api, depth + 1)];
  return { string: "…", integer: whole.minimum ?? 1, number: whole.minimum ?? 0.5, boolean: true, object: {} }[whole.type] ?? null;
}

// The required fields; of an object without any, the first one.
function ofObject(whole, api, depth) {
  const names = Object.keys(whole.properties);
  const chosen = names.filter((name) => whole.required?.includes(name));
  const shown = chosen.length ? chosen : names.slice(0, 1);
  return Object.fromEntries(shown.map((name) => [name, exampleOf(whole.properties[name], api, depth + 1)]));
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export function curlOf(method, path, operation, api, origin, withKey) {
  const required = (operation.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const query = required.map((one) => `${one.name}=${encodeURIComponent(exampleOf(one.schema, api))}`).join("&");
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => name.toUpperCase());
  const implied = method === "get" || (method === "post" && operation.requestBody);
  const verb = implied ? "" : `-X ${method.toUpperCase()} `;
  const parts = [`curl ${verb}${quoted(origin + filled + (query && `?${query}`))}`];
  if (withKey) parts.push('-H "Authorization: Bearer $KEY"');
  const content = operation.requestBody?.content ?? {};
  const [json] = Object.entries(content).filter(([kind]) => kind.includes("json"));
  const form = content["multipart/form-data"];
  if (form && (!json || path === "/caption")) parts.push(...fields(form.schema, api));
  else if (json) {
    const [, { schema, example, examples }] = json;
    const shown = example ?? Object.values(examples ?? {})[0]?.value ?? exampleOf(schema, api);
    parts.push(`-H 'Content-Type: ${json[0]}'`, `-d ${quoted(JSON.stringify(shown))}`);
  }
  return parts.join(" \\\n  ");
}

function fields(schema, api) {
  const files = linesOf(schema, api).filter((line) => line.type.includes("file"));
  return files.map((line) => `-F ${line.name}=@photo.jpg`);
}
