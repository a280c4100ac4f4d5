// Elements made of text: nothing that came from outside is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

export function show(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter((child) => child != null));
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

export function table(heads, rows, { numeric = [] } = {}) {
  const kind = (at) => (numeric.includes(at) ? { class: "number" } : {});
  return h("div", { class: "wide" },
    h("table", {},
      h("thead", {}, h("tr", {}, heads.map((head, at) => h("th", { scope: "col", ...kind(at) }, head)))),
      h("tbody", {}, rows.map((row) =>
        h("tr", {}, row.map((cell, at) => h("td", kind(at), cell ?? "–")))))));
}

export function facts(pairs) {
  return h("dl", { class: "facts" },
    pairs.filter(([, value]) => value != null).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function chip(kind, text) {
  return h("span", { class: `chip ${kind}` }, text);
}

export function field(label, control, hint) {
  return h("label", {}, h("span", {}, label), control, hint ? h("small", {}, hint) : null);
}

export function choice(name, options, { chosen, ...attributes } = {}) {
  return h("select", { name, ...attributes }, options.map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text)));
}
