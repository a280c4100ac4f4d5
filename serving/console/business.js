// What the departments told of a business, and when.

import { get } from "./api.js";
import { facts, field, h, show, table } from "./dom.js";
import { refusal } from "./refusal.js";
import { money, t } from "./texts.js";

export async function businessView(_schemas, id) {
  const found = h("div", {});
  const form = h("form", { class: "filters", onsubmit: (event) => {
    event.preventDefault();
    location.hash = `#/businesses/${event.target.elements.business_id.value.trim().toUpperCase()}`;
  } },
    field(t("business_id"), h("input", { name: "business_id", required: true, value: id, maxlength: 18, class: "code" })),
    h("button", {}, t("find")));
  if (id) {
    try {
      const known = await get(`/v1/businesses/${encodeURIComponent(id)}`);
      show(found, told(known));
    } catch (error) {
      show(found, refusal(error));
    }
  }
  return h("div", {}, h("h1", {}, t("business")), form, found);
}

function told(known) {
  const departments = known.departments.filter(({ tables }) => tables.some((each) => each.records));
  if (!departments.length) return h("p", { class: "quiet" }, t("nothing_known"));
  return [
    h("p", {}, h("a", { href: `#/apply?business_id=${known.business_id}` }, t("apply")), " · ",
      h("a", { href: `#/decisions?business_id=${known.business_id}` }, t("decisions"))),
    facts([[t("known_as_of"), known.as_of]]),
    departments.map(({ department, tables }) => h("section", {},
      h("h2", {}, t(department)),
      table(["source", "records", "first_known", "last_known", "newest_record"].map(t),
        tables.filter((each) => each.records).map((each) => [
          t(each.table), String(each.records), each.first_known_on, each.last_known_on, newest(each.newest),
        ]), { numeric: [1, 2, 3] }))),
  ];
}

// A record as the department delivered it; money comes in fen and is shown in yuan.
function newest(record) {
  const cells = Object.entries(record).filter(([, value]) => value != null);
  return h("span", { class: "record" }, cells.map(([name, value]) => h("span", {},
    h("i", {}, name.replace(/_fen$/, "").replaceAll("_", " ")), " ",
    name.endsWith("_fen") ? money(value / 100) : short(value))));
}

const short = (value) => (typeof value === "number" && !Number.isInteger(value) ? value.toFixed(3) : String(value));
