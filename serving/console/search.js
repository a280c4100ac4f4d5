// Decisions found by business, branch, outcome and day, a page at a time.

import { get } from "./api.js";
import { outcome } from "./assessment.js";
import { chip, choice, field, h, show, table } from "./dom.js";
import { refusal } from "./refusal.js";
import { moment, t } from "./texts.js";

const FILTERS = ["business_id", "branch", "outcome", "day"];

export async function searchView(_schemas, _id, wanted) {
  const found = h("div", {});
  const rows = [];

  async function load(cursor) {
    const query = new URLSearchParams(FILTERS.flatMap((name) => (wanted[name] ? [[name, wanted[name]]] : [])));
    if (cursor) query.set("cursor", cursor);
    try {
      const page = await get(`/v1/decisions?${query}`);
      rows.push(...page.decisions);
      show(found, rows.length ? listing(rows) : h("p", { class: "quiet" }, t("none_found")),
        page.next ? h("button", { type: "button", class: "plain", onclick: () => load(page.next) }, t("older")) : null);
    } catch (error) {
      show(found, refusal(error));
    }
  }

  const form = h("form", { class: "filters", onsubmit: (event) => {
    event.preventDefault();
    const chosen = [...new FormData(event.target)].filter(([, value]) => value);
    location.hash = `#/decisions?${new URLSearchParams(chosen)}`;
  } },
    field(t("business_id"), h("input", { name: "business_id", value: wanted.business_id, pattern: "[0-9A-Z]{18}", maxlength: 18, class: "code" })),
    field(t("branch"), h("input", { name: "branch", value: wanted.branch })),
    field(t("outcome"), choice("outcome", ["", "approve", "refer", "decline"].map((each) => [each, t(each || "any")]), { chosen: wanted.outcome })),
    field(t("day"), h("input", { name: "day", type: "date", value: wanted.day })),
    h("button", {}, t("find")));
  await load();
  return h("div", {}, h("h1", {}, t("decisions")), form, found);
}

function listing(rows) {
  return table(["decided_at", "application_id", "branch", "outcome", "effective", "status"].map(t), rows.map((each) => [
    moment(each.decided_at),
    h("a", { href: `#/decisions/${each.decision_id}` }, each.application_id),
    each.branch,
    outcome(each.outcome),
    outcome(each.effective_outcome),
    each.awaits_approval ? chip("awaiting_approval", t("awaiting_approval")) : "",
  ]));
}
