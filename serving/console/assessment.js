// What model and policy say of a request, as an officer reads it.

import { chip, facts, h, svg, table } from "./dom.js";
import { cents, moment, money, percent, said, t, yearly } from "./texts.js";

// `onWay` is called with a proposal to try; without it none can be tried. `inForce` is the outcome
// after overrides.
export function assessment(found, { onWay, appliedAt, inForce } = {}) {
  return [
    headline(found, inForce ?? found.outcome),
    statuses(found.statuses ?? []),
    reasons(found.reasons),
    ways(found.ways_to_yes, onWay),
    offers(found.offers),
    rules(found.rules),
    sources(found.features_as_of, appliedAt ?? found.decided_at),
    versions(found),
  ];
}

export function outcome(value) {
  return chip(value, t(value));
}

function headline(found, inForce) {
  const [low, high] = found.probability_between ?? [];
  return h("section", { class: `headline ${inForce}` },
    h("p", { class: "verdict" }, t(inForce)),
    inForce === found.outcome ? null : h("p", {}, `${t("overridden_from")} `, outcome(found.outcome)),
    facts([
      [t("limit"), money(found.limit)],
      [t("rate"), yearly(found.rate_bp)],
      [t("first_instalment"), cents(found.instalment)],
      [t("grade"), found.grade],
      [t("score"), String(found.score)],
    ]),
    h("div", { class: "probability" },
      h("span", {}, `${t("probability")} ${percent(found.probability_of_default)}`),
      low == null ? null : band(found.probability_of_default, low, high),
      low == null ? null : h("small", {}, `${percent(low)} – ${percent(high)} · ${t("probability_hint")}`)));
}

// The range of a probability between one in a thousand and one in two, on the scale of the points.
function band(middle, low, high) {
  const [width, height] = [320, 34];
  const place = (p) => width * Math.min(1, Math.max(0, (logit(p) - logit(0.001)) / -logit(0.001)));
  const marks = [0.001, 0.01, 0.05, 0.2, 0.5];
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "band", "aria-hidden": "true" },
    svg("line", { x1: 0, x2: width, y1: 10, y2: 10, class: "axis" }),
    marks.map((p) => svg("g", {},
      svg("line", { x1: place(p), x2: place(p), y1: 6, y2: 14, class: "axis" }),
      svg("text", { x: place(p), y: 30, "text-anchor": anchor(p) }, `${100 * p} %`))),
    svg("rect", { x: place(low), width: Math.max(2, place(high) - place(low)), y: 6, height: 8, rx: 4 }),
    svg("circle", { cx: place(middle), cy: 10, r: 6 }));
}

const logit = (p) => Math.log(p / (1 - p));
const anchor = (p) => (p === 0.001 ? "start" : p === 0.5 ? "end" : "middle");

function statuses(found) {
  return found.map((status) => h("p", {}, h("b", {}, said(status.text)), " ",
    h("small", {}, `${status.code} · ${t("no_credit_reason")}`)));
}

function reasons(found) {
  const most = Math.max(...found.map((reason) => reason.contribution ?? 0));
  return h("section", {},
    h("h2", {}, t("reasons")),
    found.length
      ? h("ol", { class: "reasons" }, found.map((reason) => h("li", {},
          h("b", {}, said(reason.text)),
          h("small", {}, [reason.code, reason.department && t(reason.department)].filter(Boolean).join(" · ")),
          reason.contribution ? weight(reason.contribution / most) : null)))
      : h("p", { class: "quiet" }, t("no_reasons")));
}

function weight(share) {
  return svg("svg", { viewBox: "0 0 100 4", class: "weight", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 100 * share, height: 4 }));
}

function ways(found, onWay) {
  if (!found.length) return null;
  return h("section", {},
    h("h2", {}, t("ways")),
    h("p", { class: "quiet" }, t("ways_hint")),
    h("div", { class: "cards" }, found.map((way) => h("article", { class: "card" },
      h("ul", {}, way.steps.map((step) => h("li", {}, said(step)))),
      facts([
        [t("amount"), money(way.amount)],
        [t("term_months"), String(way.term_months)],
        [t("rate"), yearly(way.rate_bp)],
        [t("first_instalment"), cents(way.instalment)],
      ]),
      onWay ? h("button", { type: "button", onclick: () => onWay(way) }, t("try_this")) : null))));
}

function offers(found) {
  if (!found.length) return null;
  const heads = ["product", "amount", "term_months", "repayment", "rate", "all_in", "net", "first_instalment",
    "fee", "subsidy", "net_cost"];
  return h("section", {},
    h("h2", {}, t("offers")),
    h("p", { class: "quiet" }, t("offers_hint")),
    table(heads.map(t), found.map((offer) => [
      h("span", {}, h("b", {}, said(offer.name)), h("small", {}, said(offer.bank))),
      money(offer.amount), String(offer.term_months), t(offer.repayment), yearly(offer.rate_bp),
      yearly(offer.all_in_bp), yearly(offer.net_bp), cents(offer.instalment),
      cents(offer.guarantee?.fee), cents(offer.subsidy?.amount), cents(offer.net_cost),
    ]), { numeric: [1, 2, 4, 5, 6, 7, 8, 9, 10] }));
}

function rules(found) {
  if (!found.length) return null;
  return h("section", {},
    h("h2", {}, t("rules")),
    table([t("rule"), t("outcome"), t("reason"), t("source"), t("cap")], found.map((rule) => [
      h("code", {}, rule.rule), rule.outcome === "approve" ? chip("", t("caps")) : outcome(rule.outcome), rule.reason,
      rule.department && t(rule.department), money(rule.cap),
    ]), { numeric: [4] }));
}

function sources(found, until) {
  const days = (day) => Math.round((Date.parse(until.slice(0, 10)) - Date.parse(day)) / 86_400_000);
  return h("details", {},
    h("summary", {}, t("sources")),
    table([t("source"), t("newest"), t("age")], Object.entries(found).map(([name, day]) =>
      [t(name), day, day && String(days(day))]), { numeric: [2] }));
}

function versions(found) {
  return h("details", {},
    h("summary", {}, t("whole")),
    facts([
      [t("model"), `${found.model.name} ${found.model.version}`],
      [t("overridden_gate"), found.model.override && `${found.model.override.by}: ${found.model.override.reason}`],
      [t("policy"), found.policy.version],
      [t("features_from"), t(found.features_from)],
      [t("decided_at"), moment(found.decided_at)],
      ["bundle", h("code", {}, found.bundle_id)],
    ]));
}
