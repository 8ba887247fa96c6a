// Draws /openapi.json as a page to read: every operation with its parameters, answers and schemas.

const described = await (await fetch("/openapi.json")).json();
const { info, paths, components } = described;

const $ = (id) => document.getElementById(id);
document.title = `${info.title} API`;
$("title").textContent = `${info.title} API`;
$("about").textContent = info.description;

for (const [path, methods] of Object.entries(paths))
  for (const [method, operation] of Object.entries(methods)) {
    $("contents").append(element("a", { href: `#${operation.operationId}` }, operation.summary), " ");
    $("operations").append(drawOperation(path, method, operation));
  }
for (const [name, schema] of Object.entries(components.schemas)) $("operations").append(drawSchema(name, schema));
$("operations").setAttribute("aria-busy", "false");
if (location.hash) document.querySelector(location.hash)?.scrollIntoView();

function drawOperation(path, method, { operationId, summary, description, parameters = [], responses }) {
  return element(
    "section", { id: operationId },
    element("h2", {}, summary),
    element("p", { class: "address" }, element("b", {}, method.toUpperCase()), " ", element("code", {}, path)),
    ...paragraphs(description),
    parameters.length ? table(["Parameter", "In", "Value", "Meaning"], parameters.map(drawParameter)) : "",
    table(["Answer", "Type", "Meaning"], Object.entries(responses).map(drawResponse)),
  );
}

function drawParameter({ name, in: place, schema, description, required, examples = {}, example }) {
  const shown = [...Object.values(examples).map(({ value }) => value), example].filter((value) => value !== undefined);
  return [
    element("code", {}, name, required ? " *" : ""),
    place,
    words(schema),
    element("span", {}, ...marked(description), shown.length ? element("small", {}, `e.g. ${shown.join(" · ")}`) : ""),
  ];
}

function drawResponse([status, { description, content = {}, headers = {} }]) {
  const types = Object.entries(content).map(([type, { schema }]) => element("span", {}, element("code", {}, type), " ", words(schema)));
  const more = Object.keys(headers);
  return [status, element("span", {}, ...types), element("span", {}, description, more.length ? element("small", {}, `headers: ${more.join(", ")}`) : "")];
}

function drawSchema(name, { properties = {}, required = [], description = "", examples = [] }) {
  const rows = Object.entries(properties).map(([key, schema]) => [
    element("code", {}, key), required.includes(key) ? "always" : "where set", words(schema),
  ]);
  return element(
    "section", { id: name },
    element("h2", {}, name),
    ...paragraphs(description),
    table(["Field", "There", "Value"], rows),
    ...examples.map((example) => element("pre", {}, JSON.stringify(example, null, 2))),
  );
}

function words(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return element("a", { href: `#${name}` }, name);
  }
  if (schema.anyOf) return element("span", {}, ...schema.anyOf.filter(({ type }) => type !== "null").flatMap((one, at) => (at ? [" or ", words(one)] : [words(one)])));
  if (schema.type === "array") return element("span", {}, "list of ", words(schema.items ?? {}));
  if (schema.enum) return schema.enum.filter(Boolean).join(", ");
  const bounds = ["minimum", "maximum", "minLength", "maxLength", "default"].filter((key) => key in schema);
  return [schema.type ?? "", ...bounds.map((key) => `${key} ${schema[key]}`)].join(", ");
}

function table(heads, rows) {
  const cells = (kind, texts) => element("tr", {}, ...texts.map((text) => element(kind, {}, text)));
  return element("div", { class: "wide" }, element("table", {}, element("thead", {}, cells("th", heads)), element("tbody", {}, ...rows.map((row) => cells("td", row)))));
}

function paragraphs(text = "") {
  return text.split(/\n\n+/).filter(Boolean).map((paragraph) => element("p", {}, ...marked(paragraph)));
}

// `code` between backticks, as the description writes it.
function marked(text = "") {
  return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
