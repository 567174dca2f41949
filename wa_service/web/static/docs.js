"use strict";

const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

const json = (value) => element("pre", JSON.stringify(value, null, 2));

const schemaOf = (content) => {
  const [type, media] = Object.entries(content ?? {})[0] ?? [];
  if (!type) return null;
  const reference = media.schema?.$ref;
  const line = element("p", `${type}: `);
  if (reference) {
    const name = reference.split("/").pop();
    line.append(element("a", name, { href: `#schema-${name}` }));
    return line;
  }
  const whole = element("div");
  whole.append(line, json(media.schema));
  return whole;
};

const parameters = (list) => {
  const table = element("table");
  for (const { name, in: place, required, description } of list) {
    const row = element("tr");
    const cell = element("td");
    cell.append(element("code", name));
    row.append(cell, element("td", required ? `${place}, required` : place), element("td", description));
    table.append(row);
  }
  return table;
};

const route = (path, method, operation) => {
  const details = element("details", "", { id: operation.operationId });
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase(), { class: "method" }), element("code", path));
  summary.append(` ${operation.summary ?? ""}`, element("span", operation["x-role"], { class: "role" }));
  details.append(summary, element("p", (operation.description ?? "").replaceAll("<br/>", " ")));
  if (operation.parameters) details.append(element("h4", "Parameters"), parameters(operation.parameters));
  if (operation.requestBody) details.append(element("h4", "Body"), schemaOf(operation.requestBody.content));
  details.append(element("h4", "Answers"));
  for (const [status, answer] of Object.entries(operation.responses)) {
    details.append(element("p", `${status}: ${answer.description}`));
    const schema = status < 300 && schemaOf(answer.content);
    if (schema) details.append(schema);
  }
  return details;
};

const show = (api) => {
  document.getElementById("about").textContent = api.info.description ?? "";
  const routes = document.getElementById("routes");
  routes.replaceChildren();
  for (const [path, operations] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(operations)) routes.append(route(path, method, operation));
  const problems = document.getElementById("problems");
  for (const { name, status, title, retryable } of api["x-problems"]) {
    const row = element("tr", "", { id: name });
    const cell = element("td");
    cell.append(element("code", name));
    row.append(cell, element("td", String(status)), element("td", title), element("td", retryable ? "yes" : "no"));
    problems.append(row);
  }
  const schemas = document.getElementById("schemas");
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const details = element("details", "", { id: `schema-${name}` });
    const summary = element("summary");
    summary.append(element("code", name));
    details.append(summary, json(schema));
    schemas.append(details);
  }
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) {
    target.open = true;
    target.scrollIntoView();
    location.hash = location.hash;
  }
};

addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
});

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch(() => { document.getElementById("routes").textContent = "The description could not be loaded."; });
