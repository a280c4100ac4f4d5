// A recorded decision: what was asked, what was answered, what happened since, and what may be done.

import { again, get, pending, record } from "./api.js";
import { assessment, outcome } from "./assessment.js";
import { chip, choice, facts, field, h, show, table } from "./dom.js";
import { refusal } from "./refusal.js";
import { moment, money, t } from "./texts.js";

export async function decisionView(schemas, id) {
  const path = `/v1/decisions/${encodeURIComponent(id)}`;
  const place = h("div", { class: "decision" });
  const said = h("div", { "aria-live": "assertive" });

  async function refresh() {
    const decision = await get(path);
    show(place, head(decision, path), asked(decision), assessment(decision, { appliedAt: decision.application.applied_at, inForce: inForce(decision) }),
      trials(decision.trials), since(decision), actions(schemas, decision, sent));
  }

  async function sent(to, body) {
    await settled(() => record(to, body));
  }

  async function settled(work) {
    try {
      show(said);
      await work();
      await refresh();
    } catch (error) {
      show(said, refusal(error, { retry: () => settled(again), done: () => show(said) }));
      said.scrollIntoView({ block: "nearest" });
    }
  }

  await refresh();
  if (pending() && pending().path !== "/v1/decisions") settled(again);
  return h("div", {}, said, place);
}

function head(decision, path) {
  const name = `${decision.decision_id}.receipt.json`;
  return h("div", { class: "head" },
    h("h1", {}, `${t("application_id")} ${decision.application_id}`),
    h("p", { class: "buttons no-print" },
      h("button", { type: "button", class: "plain", onclick: () => print() }, t("print")),
      h("button", { type: "button", class: "plain", onclick: async () => save(name, await get(`${path}/receipt`)) }, t("receipt"))));
}

function save(name, content) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
  const link = h("a", { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

function asked({ application, by, branch, decided_at }) {
  return facts([
    [t("business_id"), h("a", { href: `#/businesses/${application.business_id}`, class: "code" }, application.business_id)],
    [t("amount"), money(application.amount)],
    [t("term_months"), String(application.term_months)],
    [t("purpose"), t(application.purpose)],
    [t("repayment"), t(application.repayment)],
    [t("guaranteed"), application.guaranteed ? "✓" : null],
    [t("applied_at"), moment(application.applied_at)],
    [t("decided_at"), moment(decided_at)],
    [t("decided_by"), by],
    [t("branch"), branch || null],
  ]);
}

// The outcome of the last override that counts, or the service's own.
function inForce({ outcome: decided, overrides = [] }) {
  const counting = overrides.filter(({ status }) => status === "effective" || status === "approved");
  return counting.at(-1)?.outcome ?? decided;
}

function trials(ids) {
  if (!ids.length) return null;
  return h("section", {}, h("h2", {}, t("trials")),
    h("ul", {}, ids.map((id) => h("li", {}, h("a", { href: `#/decisions/${id}`, class: "code" }, id)))));
}

function since({ overrides = [], loan = [] }) {
  if (!overrides.length && !loan.length) return null;
  return h("section", {},
    h("h2", {}, t("since")),
    overrides.length ? table(["at", "by", "outcome", "reason_code", "text", "status"].map(t), overrides.map((each) => [
      moment(each.at), each.by, outcome(each.outcome), t(each.reason_code), each.text, chip(each.status, t(each.status)),
    ])) : null,
    loan.length ? table(["as_of", "state", "days_past_due", "worst_days_past_due", "balance", "by"].map(t), loan.map((each) => [
      each.as_of, t(each.state), String(each.days_past_due), String(each.worst_days_past_due), money(each.balance), each.by,
    ]), { numeric: [2, 3, 4] }) : null);
}

function actions(schemas, decision, sent) {
  const waiting = decision.overrides?.find((each) => each.status === "awaiting_approval");
  return h("div", { class: "actions no-print" },
    waiting ? approval(waiting, sent) : override(schemas, decision, sent),
    outcomeForm(schemas, decision, sent));
}

function override(schemas, decision, sent) {
  const { outcome: outcomes, reason_code: codes } = schemas.OverrideRequest.properties;
  return panel("override", "override_hint", [
    field(t("outcome"), choice("outcome", listed(outcomes.enum.filter((each) => each !== inForce(decision))))),
    field(t("reason_code"), choice("reason_code", listed(codes.enum))),
    field(t("text"), h("textarea", { name: "text", required: true, minlength: 10, maxlength: 2000, rows: 3 })),
    h("button", {}, t("override")),
  ], (values) => sent(`/v1/decisions/${decision.decision_id}/overrides`, values));
}

function approval(waiting, sent) {
  return panel("approval", null, [
    h("p", {}, `${waiting.by}: ${t(waiting.outcome)} · ${t(waiting.reason_code)} · ${waiting.text}`),
    field(t("text"), h("textarea", { name: "text", required: true, minlength: 10, maxlength: 2000, rows: 3 })),
    h("p", { class: "buttons" },
      h("button", { value: "true" }, t("approve_override")),
      h("button", { value: "false", class: "plain" }, t("refuse_override"))),
  ], ({ text }, chosen) => sent(`/v1/overrides/${waiting.override_id}/approvals`, { approved: chosen === "true", text }));
}

function outcomeForm(schemas, decision, sent) {
  const number = (name) => field(t(name), h("input", { name, type: "number", min: 0, value: 0, required: true }));
  return panel("loan", null, [
    field(t("as_of"), h("input", { name: "as_of", type: "date", required: true })),
    field(t("state"), choice("state", listed(schemas.OutcomeRequest.properties.state.enum), { chosen: "performing" })),
    number("days_past_due"),
    number("worst_days_past_due"),
    number("balance"),
    h("button", {}, t("report")),
  ], ({ days_past_due, worst_days_past_due, balance, ...values }) => sent("/v1/outcomes", {
    ...values,
    decision_id: decision.decision_id,
    days_past_due: Number(days_past_due),
    worst_days_past_due: Number(worst_days_past_due),
    balance: Number(balance),
  }));
}

const listed = (codes) => codes.map((code) => [code, t(code)]);

// `send` gets the fields by name, and the value of the button that was pressed.
function panel(title, hint, fields, send) {
  return h("details", { class: "panel", open: title === "approval" },
    h("summary", {}, t(title)),
    hint ? h("small", {}, t(hint)) : null,
    h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        const buttons = event.target.querySelectorAll("button");
        buttons.forEach((button) => { button.disabled = true; });
        await send(Object.fromEntries(new FormData(event.target)), event.submitter?.value);
        buttons.forEach((button) => { button.disabled = false; });
      },
    }, fields));
}
