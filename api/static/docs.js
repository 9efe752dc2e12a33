/** The API page: every operation of openapi.json. */

import { $, h } from "/static/dom.js";

let spec;

start();

async function start() {
  spec = await (await fetch("/openapi.json")).json();
  $("operations").replaceChildren(...sections());
  $("operations").removeAttribute("aria-busy");
}

function sections() {
  const groups = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), render(path, method, operation)]);
    }
  }
  return [...groups].map(([tag, operations]) => h("section", {}, h("h2", {}, tag), ...operations));
}

function render(path, method, operation) {
  const [first, ...rest] = (operation.description ?? operation.summary ?? "").split("\n\n");
  const parts = [
    rest.length ? h("p", {}, ...prose(rest.join("\n\n"))) : null,
    table("Parameters", (operation.parameters ?? []).map(parameter)),
    ...Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema }]) => fields(`Body, ${type}`, schema)),
    ...answers(operation),
    h("pre", {}, h("code", {}, curl(path, method, operation))),
  ];
  return h(
    "details",
    {},
    h("summary", {}, h("span", { className: "method" }, method.toUpperCase()), h("code", {}, path), h("span", {}, ...prose(first))),
    h("div", { className: "body" }, ...parts),
  );
}

function parameter({ name, schema, description, required }) {
  return [name, type(schema) + (required ? "" : ", optional"), description ?? schema.description ?? ""];
}

function answers(operation) {
  return Object.entries(operation.responses)
    .filter(([status]) => status.startsWith("2"))
    .flatMap(([status, { content }]) =>
      Object.entries(content ?? {}).map(([kind, { schema, itemSchema }]) =>
        fields(`Answer ${status}, ${kind}`, schema ?? itemSchema ?? {}),
      ),
    );
}

function fields(title, schema) {
  const object = resolve(schema);
  const rows = Object.entries(object.properties ?? {}).map(([name, property]) => [
    name,
    type(property) + (object.required?.includes(name) ? "" : ", optional"),
    property.description ?? resolve(property).description ?? "",
  ]);
  return rows.length ? table(title, rows) : h("h3", {}, title);
}

function table(title, rows) {
  if (!rows.length) return null;
  const body = rows.map(([name, kind, text]) =>
    h("tr", {}, h("td", {}, h("code", {}, name)), h("td", {}, kind), h("td", {}, ...prose(text))),
  );
  return h("div", {}, h("h3", {}, title), h("table", {}, h("tbody", {}, ...body)));
}

/** Text with its `code` as elements. */
function prose(text) {
  return text.split("`").map((piece, i) => (i % 2 ? h("code", {}, piece) : piece));
}

function resolve(schema) {
  return schema.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function type(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(type).filter((name) => name !== "null").join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `list of ${type(schema.items ?? {})}`;
  return schema.format ?? schema.type ?? "any";
}

function curl(path, method, operation) {
  const url = `${location.origin}${path}`;
  const types = Object.keys(operation.requestBody?.content ?? {});
  if (method === "get") return `curl '${url}'`;
  if (types.includes("application/json")) return `curl -X ${method.toUpperCase()} '${url}' --json '{ ... }'`;
  if (types.length) return `curl -X ${method.toUpperCase()} '${url}' -F files=@photo.jpg`;
  return `curl -X ${method.toUpperCase()} '${url}'`;
}
